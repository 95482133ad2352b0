"""Events as plain text, for terminals and for grep."""

from __future__ import annotations

import re
import shlex
from typing import Any

import msgspec

from signalbox.store import Event
from signalbox.store.events import CHECKPOINT_EVENTS, EVIDENCE_EVENTS
from signalbox.store.reserved import sounds_like_a_person
from signalbox.store.terminal_escapes import ESCAPE

SHOWN = (
    "work_item_id",
    "tool_name",
    "checkpoint_id",
    "evidence_id",
    "status",
    "exit_code",
    "error_code",
    "message",
    "explanation",
    "runner_version",
)
"""Payload fields that say what an event is about, in order of preference."""

_BY_THE_RUN = frozenset(CHECKPOINT_EVENTS + EVIDENCE_EVENTS)
"""Events that emitters append with the actor `supervisor`, as part of the program, and the server never appends."""

_SGR = re.compile(r"\x1b\[[0-9;:]*m")
# The controls, the marks of direction, and the deprecated format characters of Unicode.
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029\u061c\u200e\u200f\u206a-\u206f\ufff9-\ufffb]")
_DIRECTING = re.compile("[\u202a-\u202e\u2066-\u2069]")
_UNSAFE_IN_JSON = re.compile("[\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u206f]")


def actor_of(event: Event) -> str:
    """Return the actor, in quotation marks if a log claims a name that only a person or the server has."""
    claimed = not is_vouched(event) and sounds_like_a_person(event.actor)
    return f"“{event.actor}”" if claimed else event.actor


def is_vouched(event: Event) -> bool:
    """Return whether the actor can be trusted: the server wrote the event, or it names the run's own supervisor."""
    return event.origin == "server" or (event.actor == "supervisor" and event.event_type in _BY_THE_RUN)


def about(payload: dict[str, Any]) -> str:
    """Return a payload in a few words."""
    words = [_in_words(name, payload[name]) for name in shown_keys(payload)]
    return "  ".join(words) if words or not payload else msgspec.json.encode(payload).decode()


def shown_keys(payload: dict[str, Any]) -> list[str]:
    """Return the keys whose values `about` shows. If there are none, it shows the whole payload."""
    names = [name for name in SHOWN if name != "exit_code" or "message" not in payload]
    shown = [name for name in names if isinstance(payload.get(name), str | int | float)]
    if isinstance(payload.get("command"), list):
        shown.append("command")
    progress = payload.get("progress")
    return [*shown, "progress"] if isinstance(progress, dict) and "current" in progress else shown


def _in_words(name: str, value: Any) -> str:
    if name == "command":
        return shlex.join(str(word) for word in value)
    if name == "progress":
        return f"{value['current']}/{value['total']}" if "total" in value else str(value["current"])
    return str(value)


def safe(text: str, *, colours: bool) -> str:
    """Return `text` without escape sequences and control characters; with `colours`, SGR sequences are kept.

    A character that reverses the direction of the text after it becomes U+FFFD, because it can hide the real text.
    """
    if text.isprintable():
        return text
    text = _DIRECTING.sub("\ufffd", text)
    if not colours or "\x1b" not in text:
        return _CONTROL.sub("", ESCAPE.sub("", text))
    kept = _SGR.findall(text)
    parts = [_CONTROL.sub("", ESCAPE.sub("", part)) for part in _SGR.split(text)]
    return "".join(part + colour for part, colour in zip(parts, [*kept, "\x1b[0m"], strict=True))


def safe_json(json: str) -> str:
    """Return JSON for a terminal: control characters and bidirectional marks become JSON escapes."""
    return _UNSAFE_IN_JSON.sub(lambda found: f"\\u{ord(found[0]):04x}", json)

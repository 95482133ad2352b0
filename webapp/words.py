"""What an event says as plain text: for terminals, and for all that is read with grep."""

from __future__ import annotations

import re
import shlex
from typing import Any

import msgspec

from store.escapes import ESCAPE

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
"""Fields of a payload that tell what the event is about, in this order."""

_SGR = re.compile(r"\x1b\[[0-9;:]*m")
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029]")


def about(payload: dict[str, Any]) -> str:
    """What a payload says, in a few words."""
    names = [name for name in SHOWN if name != "exit_code" or "message" not in payload]
    words = [str(payload[name]) for name in names if isinstance(payload.get(name), str | int | float)]
    command = payload.get("command")
    if isinstance(command, list):
        words.append(shlex.join(str(word) for word in command))
    progress = payload.get("progress")
    if isinstance(progress, dict) and "current" in progress:
        words.append(f"{progress['current']}/{progress['total']}" if "total" in progress else str(progress["current"]))
    if words or not payload:
        return "  ".join(words)
    return msgspec.json.encode(payload).decode()


def safe(text: str, *, colours: bool) -> str:
    """`text` without anything that could move the cursor or drive the terminal; colours stay if they may."""
    if not colours or "\x1b" not in text:
        return _CONTROL.sub("", ESCAPE.sub("", text))
    kept = _SGR.findall(text)
    parts = [_CONTROL.sub("", ESCAPE.sub("", part)) for part in _SGR.split(text)]
    return "".join(part + colour for part, colour in zip(parts, [*kept, "\x1b[0m"], strict=True))

"""Events: their values, as emitted and as stored, and the checks of their fields."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from functools import cached_property, lru_cache
from typing import Annotated, Any, Literal, TypeGuard

import msgspec
from msgspec import Meta
from ulid import ULID

from signalbox.store.artifacts import ARTIFACT_STORED
from signalbox.store.errors import InvalidEvent
from signalbox.store.times import checked_time

HEARTBEAT = "runner_heartbeat"
"""Proves that a run is alive. Programs get it like any other event, but pages do not show it as a row of the log."""

RUNNER_EVENTS = ("runner_spawn", "runner_exit", HEARTBEAT)
PHASE_EVENTS = ("phase_enter", "phase_exit")
WORK_ITEM_EVENTS = (
    "work_item_start",
    "work_item_progress",
    "work_item_complete",
    "work_item_failed",
)
CHECKPOINT_EVENTS = ("checkpoint_commit", "checkpoint_verified", "checkpoint_invalid")
EVIDENCE_EVENTS = ("evidence_collected", "evidence_linked")
RECOVERY_EVENTS = ("recovery_initiated", "recovery_checkpoint_loaded", "recovery_complete")
PERMISSION_EVENTS = ("permission_request", "permission_response", "permission_cleared")
SPAN_EVENTS = ("span_start", "span_end", "trace_complete")
MESSAGE_EVENTS = ("message_sent", "message_taken")
AGENT_EVENTS = ("rule_applied", "notification", "session_continued")
"""Events of coding agents: see `webapp/coding_agents`. They change nothing in the state of the task."""
CONVERSATION_EVENTS = ("user_message", "assistant_message")
"""Messages of a conversation with a model that are events of their own."""
PEOPLE_EVENTS = frozenset(
    {"permission_response", "allowance_revoked", "message_sent", "cancel_requested", "retry_requested"}
)
"""Events that record acts of people. Only those that the server writes take effect; from an emitter they are claims."""
LABEL_EVENTS = ("title_changed", "tags_changed", "links_changed", ARTIFACT_STORED)
"""Events that add something to a task. They say nothing about the state of the run, so they start no queued task."""
KNOWN_EVENTS = (
    *RUNNER_EVENTS,
    *PHASE_EVENTS,
    *WORK_ITEM_EVENTS,
    *CHECKPOINT_EVENTS,
    *EVIDENCE_EVENTS,
    *RECOVERY_EVENTS,
    "log",
    "status",
    "progress_update",
    "tool_status",
    "tool_result",
    *PERMISSION_EVENTS,
    "allowance_revoked",
    *MESSAGE_EVENTS,
    *CONVERSATION_EVENTS,
    "cancel_requested",
    "retry_requested",
    *SPAN_EVENTS,
    *AGENT_EVENTS,
    *LABEL_EVENTS,
)
"""The event types that pages can render. The vocabulary is open: other types are stored and shown unchanged."""

OLDER_SPELLINGS = {"work_item_started": "work_item_start"}

MAX_FIELD_CHARS = 256
MAX_PAYLOAD_BYTES = 256 * 1024
MAX_TITLE_CHARS = 512
MAX_REASON_CHARS = 2000
"""Maximum characters of a task's title, and of the reason that a person gives."""
MAX_MESSAGE_CHARS = 20_000
"""Maximum characters of a message to a run."""
MAX_ID_CHARS = 1024
"""Maximum characters of the id of a checkpoint or a permission request, because it is part of URLs."""

MAX_DEPTH = 100
"""Maximum nesting of a payload, because readers need stack space for each level."""
_TYPES_WITH_ID = ("permission_", "checkpoint_", "evidence_")
_SQUARE = bytes.maketrans(b"{}", b"[]")
_NO_BRACKETS = bytes(code for code in range(256) if code not in b"[]{}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")

ONE_LINE = r"^[^\u0000-\u001f\u007f-\u009f\u2028\u2029]*$"
Line = Annotated[str, Meta(extra_json_schema={"minLength": 1, "maxLength": MAX_FIELD_CHARS, "pattern": ONE_LINE})]
"""A text that `check_text` accepts. This and the types below only document; the functions of this module check."""
Title = Annotated[str, Meta(extra_json_schema={"minLength": 1, "maxLength": MAX_TITLE_CHARS, "pattern": ONE_LINE})]
Reason = Annotated[str, Meta(extra_json_schema={"maxLength": MAX_REASON_CHARS})]
GivenReason = Annotated[
    str,
    Meta(extra_json_schema={"minLength": 1, "maxLength": MAX_REASON_CHARS, "pattern": rf"^(?=.*\S){ONE_LINE[1:]}"}),
]
"""A reason that must not be left out or blank."""

RESERVED_KEYS = ("signalbox:", "retry-", "retry:")
"""Prefixes of idempotency keys that only the server may use: otherwise an emitter could take the key of its event."""

Key = Annotated[Line, Meta(extra_json_schema={"pattern": f"^(?!{'|'.join(RESERVED_KEYS)}){ONE_LINE[1:]}"})]
TASK_ID_PATTERN = r"^(?!\.{1,2}$)[A-Za-z0-9_.:-]{1,128}$"
TaskId = Annotated[str, Meta(extra_json_schema={"pattern": TASK_ID_PATTERN})]
_TASK_ID = re.compile(TASK_ID_PATTERN)
Time = Annotated[str, Meta(extra_json_schema={"format": "date-time", "pattern": "^(?!000[01]|9999)"})]
"""A text that `checked_time` accepts: also with a space for the `T`, or without seconds."""
Payload = Annotated[msgspec.Raw, Meta(extra_json_schema={"type": "object"})]


class NewEvent(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """An event to append. Only `event_type` is required.

    Without `span_id` it belongs to the task's main span. `key` is the idempotency key: appending the same key to the
    same task again returns the stored event and writes nothing. `occurred_at` is the time when the event happened, if
    that was before the append; see `checked_time` for its format.
    """

    event_type: Line
    phase: Line | None = None
    actor: Line = "runner"
    span_id: Line | None = None
    parent_span_id: Line | None = None
    payload: dict[str, Any] = {}
    key: Key | None = None
    occurred_at: Time | None = None


Origin = Literal["server", "import"]


class Event(msgspec.Struct, frozen=True, dict=True):
    """An event as stored in the log. `payload_json` is the JSON text of the payload.

    `origin` is `server` for an event that the server wrote, for itself or for a person, and `import` for an event of an
    imported log. It is absent for events of runs and other emitters: their statements about people are claims.
    `created_at` is the time of the append. Both seq and `created_at` are in the order of the appends. `occurred_at` is
    set if the emitter gave another time: see `happened_at`.
    """

    event_id: int
    task_id: str
    seq: int
    event_type: str
    phase: str | None
    actor: str
    span_id: str
    parent_span_id: str | None
    payload_json: Payload = msgspec.field(name="payload")
    created_at: str
    key: str | None = None
    origin: Origin | msgspec.UnsetType = msgspec.UNSET
    occurred_at: str | msgspec.UnsetType = msgspec.UNSET

    @property
    def happened_at(self) -> str:
        """The time when the event happened: `occurred_at` if it is set, but never later than the append.

        Pages compute durations and show times from it.
        """
        occurred = self.occurred_at
        return self.created_at if occurred is msgspec.UNSET else min(occurred, self.created_at)

    @property
    def identity(self) -> str:
        """The identity of the event's task, or "" if the event was read without it."""
        return str(self.__dict__.get("identity_", ""))

    @cached_property
    def payload(self) -> dict[str, Any]:
        """The payload as a dict."""
        decoded: dict[str, Any] = msgspec.json.decode(self.payload_json)
        return decoded

    @cached_property
    def cut_from(self) -> int:
        """The size of the stored payload in bytes if a brief view shortened it, else 0."""
        return 0


def is_claim(event: Event) -> bool:
    """Return whether `event` only claims an act of a person, or a file in the store. Such an event has no effect."""
    if event.origin is not msgspec.UNSET:
        return False
    if event.event_type == "permission_cleared":
        # A run may withdraw its own request. Only the server may say that a person answered it.
        return str(event.payload.get("cause", "")).strip().casefold() == "answered"
    return event.event_type in PEOPLE_EVENTS or event.event_type == ARTIFACT_STORED


def new_id() -> str:
    """Return a new ULID: 26 characters that sort by time. Used for tasks without an id."""
    return str(ULID())


def new_span_id() -> str:
    """Return a new span id: 16 hexadecimal digits, as in W3C Trace Context, so that other traces can refer to it."""
    return secrets.token_hex(8)


def is_task_id(text: object) -> TypeGuard[str]:
    """Return whether `text` is a valid task id: 1 to 128 characters of `A-Z a-z 0-9 _ . : -`."""
    return isinstance(text, str) and _TASK_ID.fullmatch(text) is not None


def check_task_id(task_id: object, field: str = "task_id") -> str:
    """Return `task_id`, or raise InvalidEvent with this `field`."""
    if not is_task_id(task_id):
        raise InvalidEvent(f"{field} must be 1 to 128 characters of A-Z a-z 0-9 _ . : -, and not . or ..", field)
    return task_id


def check_text(value: object, field: str, *, optional: bool = False, limit: int = MAX_FIELD_CHARS) -> None:
    """Raise InvalidEvent unless `value` is one line of 1 to `limit` characters (or None when optional)."""
    if value is None and optional:
        return
    if not isinstance(value, str):
        raise InvalidEvent(f"{field} must be text", field)
    if not 0 < len(value) <= limit:
        raise InvalidEvent(f"{field} must have 1 to {limit} characters, not {len(value)}", field)
    if _CONTROL.search(value):
        raise InvalidEvent(f"{field} must be one line without control characters", field)
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise InvalidEvent(f"{field} must be valid Unicode text", field) from None


def encode_payload(payload: Mapping[str, Any], field: str = "payload") -> bytes:
    """Encode a payload as JSON. Raises InvalidEvent if it is not an object, not JSON, too deep or over 256 KiB."""
    if not isinstance(payload, Mapping):
        raise InvalidEvent(f"{field} must be a JSON object", field)
    try:
        encoded = msgspec.json.encode(payload)
    except Exception as error:  # msgspec also runs code of the values
        raise InvalidEvent(f"{field} cannot be written as JSON: {error}", field) from None
    if len(encoded) > MAX_PAYLOAD_BYTES:
        raise InvalidEvent(f"{field} must be at most {MAX_PAYLOAD_BYTES} bytes of JSON, not {len(encoded)}", field)
    if (
        len(encoded) > MAX_DEPTH
        and encoded.count(b"[") + encoded.count(b"{") > MAX_DEPTH
        and depth_of(encoded.decode()) > MAX_DEPTH
    ):
        raise InvalidEvent(f"{field} must be nested at most {MAX_DEPTH} levels deep", field)
    return encoded


def depth_of(json: str) -> int:
    """Return the nesting depth of a JSON text, up to MAX_DEPTH + 1, or 1 if it cannot exceed MAX_DEPTH."""
    if json.count("[") + json.count("{") <= MAX_DEPTH:
        return 1
    # Quotes that are not escaped delimit strings. Without strings and values only brackets are left.
    unescaped = json.encode("utf-8", "replace").replace(rb"\\", b"").replace(rb"\"", b"")
    rest, depth = b"".join(unescaped.split(b'"')[::2]).translate(_SQUARE, _NO_BRACKETS), 0
    while rest and depth <= MAX_DEPTH:
        inner = rest.replace(b"[]", b"")
        if len(inner) == len(rest):
            break  # not valid JSON
        rest, depth = inner, depth + 1
    return depth


@lru_cache(4096)
def _known_good(texts: tuple[object, ...]) -> bool:
    event_type, actor, *optional = texts
    check_text(event_type, "event_type")
    check_text(actor, "actor")
    for value, field in zip(optional, ("phase", "span_id", "parent_span_id"), strict=True):
        check_text(value, field, optional=True)
    return True


def check_key(key: str) -> None:
    """Raise InvalidEvent for an idempotency key that only the server may use."""
    if key.startswith(RESERVED_KEYS):
        raise InvalidEvent(f"key must not begin with {' or '.join(RESERVED_KEYS)}: the server uses these itself", "key")


def check_event(event: NewEvent) -> bytes:
    """Check an event and return its payload as JSON. Raises InvalidEvent."""
    # A run repeats the same few values, so checked combinations are cached. Errors are not cached.
    texts = (event.event_type, event.actor, event.phase, event.span_id, event.parent_span_id)
    try:
        _known_good(texts)
    except TypeError:
        _known_good.__wrapped__(texts)
    if event.key is not None:
        check_text(event.key, "key")
    if event.occurred_at is not None:
        checked_time(event.occurred_at, "occurred_at")
    if event.span_id is not None and event.span_id == event.parent_span_id:
        raise InvalidEvent("parent_span_id must be another span than span_id", "parent_span_id")
    if event.event_type.startswith(_TYPES_WITH_ID):
        for name in ("request_id", "checkpoint_id"):
            value = event.payload.get(name) if isinstance(event.payload, Mapping) else None
            if isinstance(value, str) and len(value) > MAX_ID_CHARS:
                raise InvalidEvent(f"{name} must have at most {MAX_ID_CHARS} characters, not {len(value)}", name)
    return encode_payload(event.payload)

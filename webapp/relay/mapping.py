"""Maps SSE messages of an upstream to events."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

import msgspec

from signalbox.store.errors import InvalidEvent
from signalbox.store.events import KNOWN_EVENTS, MAX_PAYLOAD_BYTES, NewEvent, check_event, encode_payload
from signalbox.store.remote.sse import Message
from signalbox.store.times import checked_time

CONNECTION_MESSAGES = frozenset({"heartbeat", "keepalive", "ping", "reconnect"})
"""Names of messages that concern the connection, not the run. They are not recorded."""

MAX_TEXT_CHARS = 20_000
"""A text that is too large for an event is cut to this many characters."""

_SUCCESS = re.compile(r"task (success|succeeded|done|complete|completed|finished)\b", re.IGNORECASE)
_CANCELLED = re.compile(r"task cancell?ed\b[:\s]*", re.IGNORECASE)
_FAILURE = re.compile(r"task (?:failed|failure|error)\b[:\s]*", re.IGNORECASE)


def to_event(message: Message) -> NewEvent | None:
    """Return the event for a message, or None for a message that concerns only the connection.

    JSON in Signalbox's own vocabulary (`{"event_type": …}` or `{"type": …, "data": …}`) becomes that event. `log` and
    unnamed messages become log lines. A `status` message ends the task if its text names a final status. Any other
    message name becomes the event type.
    """
    name, found = message.event, _object(message.data)
    kind = found.get("type", found.get("event_type")) if found else None
    if name in CONNECTION_MESSAGES or (isinstance(kind, str) and kind in CONNECTION_MESSAGES):
        return None
    event = _from_json(name, found) if found else None
    event = _as_claim(event or (_status(message.data) if name == "status" else _text(name, message.data)))
    try:
        check_event(event)
    except InvalidEvent:
        return _log(message.data)
    return event


def says_log_was_replaced(message: Message) -> bool:
    """Return whether an upstream Signalbox reports that the followed log was deleted or replaced."""
    found = _object(message.data) if message.event == "reset" else None
    return found is not None and not found.keys().isdisjoint({"latest_seq", "reason"})


def _as_claim(event: NewEvent) -> NewEvent:
    """Record an upstream's permission answer as a claim, because nobody answered on this server.

    The claim still closes the permission request here.
    """
    answered = event.event_type == "permission_cleared" and str(event.payload.get("cause")).casefold() == "answered"
    if event.event_type != "permission_response" and not answered:
        return event
    asked = {"request_id": event.payload["request_id"]} if "request_id" in event.payload else {}
    payload = {**asked, "cause": "answered_upstream", "claim": event.payload}
    return msgspec.structs.replace(event, event_type="permission_cleared", payload=payload)


def _from_json(name: str, found: dict[str, Any]) -> NewEvent | None:
    """Return the event that a JSON object describes, or None if the object describes none."""
    if isinstance(found.get("event_type"), str):
        fields = {field: found[field] for field in ("phase", "actor", "span_id", "parent_span_id") if found.get(field)}
        payload = found.get("payload")
        return NewEvent(
            event_type=found["event_type"],
            payload=payload if isinstance(payload, dict) else {},
            occurred_at=_time(found.get("occurred_at") or found.get("created_at")),
            **fields,
        )
    if found.get("type") in KNOWN_EVENTS and isinstance(found.get("data"), dict):
        return NewEvent(event_type=found["type"], payload=found["data"])
    # A JSON object without `message` may be a log line that a program wrote as JSON.
    if name in KNOWN_EVENTS and (name != "log" or "message" in found):
        return NewEvent(event_type=name, payload=found)
    return None


def _status(text: str) -> NewEvent:
    # A failure is sent without `status`: the projection then shows a run that was asked to cancel as cancelled.
    if _SUCCESS.match(text):
        return _exit(exit_code=0, status="done", message=text)
    if cancelled := _CANCELLED.match(text):
        return _exit(exit_code=130, status="cancelled", message=text[cancelled.end() :] or text)
    if failed := _FAILURE.match(text):
        return _exit(exit_code=1, message=text[failed.end() :] or text)
    return NewEvent(event_type="status", payload={"message": text})


def _exit(**payload: Any) -> NewEvent:
    return NewEvent(event_type="runner_exit", payload=payload)


def _text(name: str, text: str) -> NewEvent:
    if name in ("message", "log"):
        return _log(text)
    return NewEvent(event_type=name, payload={"message": text})


def _log(text: str) -> NewEvent:
    """Return a log event. An ISO 8601 time at the start of the text becomes the payload's `at`.

    A time with a zone is also when the event happened.
    """
    payload: dict[str, Any] = {"message": text}
    first, space, rest = text.partition(" ")
    if space and _is_time(first):
        payload = {"message": rest, "at": first}
    try:
        encode_payload(payload)
    except InvalidEvent:
        payload |= {"message": f"{payload['message'][:MAX_TEXT_CHARS]}…", "truncated": len(text)}
    return NewEvent(event_type="log", payload=payload, occurred_at=_time(payload.get("at")))


def _time(given: object) -> str | None:
    """Return a time in the format of `occurred_at`, or None if `given` is not a time with a zone."""
    try:
        return checked_time(given, "occurred_at")
    except InvalidEvent:
        return None


def _is_time(word: str) -> bool:
    if "T" not in word:
        return False
    try:
        datetime.fromisoformat(word)
    except ValueError:
        return False
    return True


def _object(text: str) -> dict[str, Any] | None:
    if not text.startswith("{") or len(text) > 8 * MAX_PAYLOAD_BYTES:
        return None
    try:
        return msgspec.json.decode(text, type=dict[str, Any])
    except (msgspec.DecodeError, RecursionError):
        return None

"""The session dialect: tool calls and permissions as messages `{"type", "data", "timestamp"}`.

Each message, heartbeats included, carries the stream's position as its id. After a reconnect, events that have no
message in this dialect are therefore not read again.
"""

from __future__ import annotations

from typing import Any

import msgspec

from signalbox.store import Event
from signalbox.store.events import is_claim
from signalbox.store.line_breaks import one_line
from signalbox.store.projections import request_id_of
from signalbox.store.times import now
from signalbox.webapp.live.control_messages import ControlMessages

SERVER_FIELDS = frozenset({"approved", "by", "claimed"})
"""Payload fields that only the server may set, for an answer that it accepted."""

_encoder = msgspec.json.Encoder()


def session_event(event: Event) -> bytes:
    """Encode an event as a message whose id is its seq. Events without a message in this dialect give b""."""
    found = type_and_data(event)
    return message(*found, event.created_at, cursor=event.seq) if found else b""


def open_request(event: Event) -> bytes:
    """Encode a permission request that was open before the stream began.

    It carries no id, because the greeting has already set the client's position.
    """
    return message("permission_request", _request(event), event.created_at)


def type_and_data(event: Event) -> tuple[str, dict[str, Any]] | None:
    """Return the type and the data of an event's message, or None if it has no message in this dialect."""
    kind, payload = event.event_type, event.payload
    if is_claim(event):
        # A claim is not an answer given on this server, so it changes nothing for a client of this dialect.
        return None
    if kind == "permission_cleared" and event.origin != "server":
        return kind, {name: value for name, value in payload.items() if name not in SERVER_FIELDS}
    if kind in ("tool_status", "tool_result", "permission_cleared"):
        return kind, payload
    if kind == "permission_request":
        return kind, _request(event)
    if kind == "permission_response":
        claimed = {} if event.origin == "server" else {"claimed": True}
        return "permission_cleared", {**payload, "cause": "answered", **claimed}
    return None


def _request(event: Event) -> dict[str, Any]:
    return {**event.payload, "request_id": request_id_of(event)}


def message(
    kind: str, data: dict[str, Any], timestamp: str, *, cursor: int | None = None, retry_ms: int | None = None
) -> bytes:
    """Encode one message. `cursor` becomes its `id:` and `retry_ms` its `retry:`, if given."""
    body = one_line(_encoder.encode({"type": kind, "data": data, "timestamp": timestamp}))
    position = b"" if cursor is None else b"id: %d\n" % cursor
    retry = b"" if retry_ms is None else b"retry: %d\n" % retry_ms
    return b"%bdata: %b\n%b\n" % (retry, body, position)


class SessionControlMessages(ControlMessages):
    """Control messages encoded as heartbeats, the only control message that clients of this dialect know."""

    def greeting(self, cursor: int) -> bytes:
        return self.heartbeat(cursor)

    def heartbeat(self, cursor: int) -> bytes:
        return message("heartbeat", {"latest_seq": cursor}, now(), cursor=cursor)

    def farewell(self, cursor: int, reason: str, retry_ms: int) -> bytes:
        return message(
            "heartbeat", {"latest_seq": cursor, "reconnect": reason}, now(), cursor=cursor, retry_ms=retry_ms
        )

    def gone(self, cursor: int) -> bytes:
        return self.farewell(cursor, "deleted", 1000)

    def replaced(self, cursor: int) -> bytes:
        return self.farewell(cursor, "restored", 1000)


SESSION = SessionControlMessages()

"""The session dialect: tool calls and permissions as messages `{"type", "data", "timestamp"}`.

The id of a message is where its stream stands, also that of a heartbeat: what is no matter of this dialect need not be
read again after a reconnect.
"""

from __future__ import annotations

from typing import Any

import msgspec

from signalbox.store import Event
from signalbox.store.breaks import one_line
from signalbox.store.events import is_claim, now
from signalbox.store.projections import request_id_of
from signalbox.webapp.live.control_messages import ControlMessages

OF_AN_ANSWER = frozenset({"approved", "by", "claimed"})
"""What only the server says, of an answer that it took."""

_encoder = msgspec.json.Encoder()


def session_event(event: Event) -> bytes:
    """An event as a message with its seq as the id; nothing for an event that is not of this dialect."""
    found = said(event)
    return message(*found, event.created_at, cursor=event.seq) if found else b""


def open_request(event: Event) -> bytes:
    """A request that was open before the stream began. It has no id: the position is that of the greeting."""
    return message("permission_request", _request(event), event.created_at)


def said(event: Event) -> tuple[str, dict[str, Any]] | None:
    """The type and the data of an event's message, None if it has none."""
    kind, payload = event.event_type, event.payload
    if is_claim(event):
        # Nobody of this server answered: to a client of this dialect nothing has happened.
        return None
    if kind == "permission_cleared" and event.origin != "server":
        return kind, {name: value for name, value in payload.items() if name not in OF_AN_ANSWER}
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
    """One message of the dialect."""
    body = one_line(_encoder.encode({"type": kind, "data": data, "timestamp": timestamp}))
    position = b"" if cursor is None else b"id: %d\n" % cursor
    retry = b"" if retry_ms is None else b"retry: %d\n" % retry_ms
    return b"%bdata: %b\n%b\n" % (retry, body, position)


class SessionControlMessages(ControlMessages):
    """Heartbeats for all that must be said, as clients of this dialect know no other word."""

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

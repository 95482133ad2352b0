"""`/ws/tasks/{id}/events`: the events of a task over a WebSocket, for networks that block server-sent events."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import msgspec
from quart import Blueprint, websocket

from signalbox.store import Event, StoreError, StoreMoved, UnknownTask
from signalbox.store.contract import Head
from signalbox.store.line_breaks import one_line
from signalbox.webapp.api.parameters import Resume
from signalbox.webapp.auth.access import needs
from signalbox.webapp.auth.guard import check_task, close_code, ticket
from signalbox.webapp.current import hub, settings, store
from signalbox.webapp.http.bad_request import BadRequest
from signalbox.webapp.http.endpoint import socket_endpoint
from signalbox.webapp.http.errors import message_for_clients
from signalbox.webapp.http.query_parameters import query_as
from signalbox.webapp.http.refusals import TooManyStreams
from signalbox.webapp.live.callers import ReservedPlace
from signalbox.webapp.live.control_messages import ControlMessages
from signalbox.webapp.live.stream_encoding import Plain

blueprint = Blueprint("sockets", __name__, url_prefix="/ws")

GOING_AWAY, REFUSED, TRY_LATER, RESET = 1001, 4400, 1013, 4409
"""Close codes of RFC 6455 section 7.4 and the IANA registry. Codes from 4000 on are private."""


class NoControlMessages(ControlMessages):
    """The control messages of a WebSocket: none, because it has pings and close codes."""

    def heartbeat(self, cursor: int) -> bytes:
        return b""


NO_CONTROL_MESSAGES = NoControlMessages()


def line(event: Event) -> bytes:
    """Encode an event as one line of JSON, which itself contains no line break."""
    return one_line(msgspec.json.encode(event)) + b"\n"


@blueprint.websocket("/tasks/<task_id>/events")
@needs("read", query_token=True)
@socket_endpoint("Follow the log of a task over a WebSocket.", query=Resume)
async def task_events(task_id: str) -> None:
    """Each message of the server is an Event. The client sends none."""
    with suppress(OSError):  # the client has disconnected
        await serve(task_id)


async def serve(task_id: str) -> None:
    """Serve one client until either side ends the connection."""
    try:
        cursor = query_as(Resume, form=True, asked=websocket).cursor
    except BadRequest as error:
        await refuse(REFUSED, error.message)
        return
    try:
        async with store().read() as view:
            head = await view.head(task_id)
        check_task(task_id, head.identity)
        place = hub().admit(ticket())
    except TooManyStreams as error:
        await refuse(TRY_LATER, str(error))
        return
    except UnknownTask as error:
        await refuse(close_code(error), str(error))
        return
    except StoreError as error:
        try_later = error.retryable or isinstance(error, StoreMoved)
        await refuse(TRY_LATER if try_later else REFUSED, message_for_clients(error))
        return
    try:
        await _stream(task_id, head, cursor, place)
    finally:
        place.release()


async def _stream(task_id: str, head: Head, cursor: int, place: ReservedPlace) -> None:
    if cursor > head.latest_seq or 0 < cursor < head.earliest_seq - 1:
        await refuse(RESET, f"the log goes from {head.earliest_seq} to {head.latest_seq}")
        return
    await websocket.accept()
    streams = hub()
    lane = streams.lanes.event_lane(
        task_id, line, settings().batch_size, settings().flush_interval, NO_CONTROL_MESSAGES, identity=head.identity
    )
    socket = websocket._get_current_object()  # type: ignore[attr-defined]

    async def send(message: Any) -> None:
        for text in message["body"].splitlines():
            await socket.send(text.decode())

    place.release()
    streams.opened()
    try:
        await streams.run(lane, cursor, send, b"", Plain(), ticket())
    finally:
        streams.closed()
    await websocket.close(GOING_AWAY, "reconnect")


async def refuse(code: int, reason: str) -> None:
    """Accept and close at once: a browser learns no reason from a refused handshake, but it reads a close code."""
    await websocket.accept()
    await websocket.close(code, reason[:120])

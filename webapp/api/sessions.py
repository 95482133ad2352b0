"""`/api/sse/…`: the session dialect, for a copilot's tool calls. A session is a task with the same id."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta
from quart import Blueprint, Response

from signalbox.store import Conflict, InvalidEvent
from signalbox.store.contract import Reading
from signalbox.store.events import Reason
from signalbox.store.state import Permission
from signalbox.webapp.acts.answers import answer_permission
from signalbox.webapp.acts.user_actions import checked_reason
from signalbox.webapp.api.parameters import Identity, IdentityParameter, LastEventId, Seq
from signalbox.webapp.auth.access import needs
from signalbox.webapp.auth.guard import check_task
from signalbox.webapp.current import hub, settings, store
from signalbox.webapp.dialects.session import SESSION, open_request, session_event
from signalbox.webapp.http.endpoint import EVENT_STREAM, endpoint
from signalbox.webapp.http.refusals import NoOpenRequest, TooManyStreams
from signalbox.webapp.live.chunk import CHUNK_BYTES
from signalbox.webapp.live.lane import Lane
from signalbox.webapp.live.lanes import Lanes
from signalbox.webapp.live.stream import subscribe

blueprint = Blueprint("api_sessions", __name__, url_prefix="/api/sse")

REQUESTS_PER_READ = 20
"""Open requests that one query reads. Each may have 256 KiB of arguments."""


class SessionAnswerBody(msgspec.Struct, forbid_unknown_fields=True):
    """The answer to the permission request `request_id`, by default to the oldest open request of the session."""

    approved: bool
    reason: Reason | None = None
    request_id: str | None = None
    value: Annotated[Any, Meta(description="The value that the request asks for; see `response_schema`.")] = UNSET
    always: Annotated[bool, Meta(description="Also approve later requests of the tool in this session.")] = False


class SessionAnswer(msgspec.Struct):
    """An answer as it was recorded."""

    request_id: str
    approved: bool
    reason: str | None
    by: str
    seq: int
    timestamp: str
    value: Any = UNSET


class SessionResume(LastEventId, frozen=True, kw_only=True):
    """Where a session's stream starts. Without a cursor it starts at the end of the log, with the open requests."""

    since_seq: Annotated[Seq | None, Meta(description="The seq after which to start, exclusive.")] = None
    identity: Identity = None


class SessionHealth(msgspec.Struct, kw_only=True):
    """The state of a session. `connections` is the number of its open streams in all processes.

    `request_id` is its oldest open permission request; `identity` is that of its task.
    """

    status: Literal["ok"] = "ok"
    session_id: str
    identity: str
    connections: int
    last_seq: int
    permission_open: bool
    request_id: str | None


@blueprint.get("/events/<session_id>")
@needs("read", task="session_id", query_token=True)
@endpoint(
    "Follow the tool calls and permission requests of a session.", media_type=EVENT_STREAM, raises=(TooManyStreams,)
)
async def events(session_id: str, query: SessionResume) -> Response:
    """The `data` of each message is `{"type", "data", "timestamp"}`."""
    position = query.since_seq if query.last_id is None else query.last_id
    async with store().read() as view:
        head = await view.head(session_id)
        check_task(session_id, head.identity)
        resumes = position is not None
        cursor = head.latest_seq if position is None else position
        # The log does not have this cursor: the database was restored, or the events were archived. Start anew.
        if cursor > head.latest_seq or 0 < cursor < head.earliest_seq - 1:
            resumes, cursor = False, head.latest_seq
        opening = b""
        if not resumes:
            opening, cursor = await _open_requests(view, session_id, head.latest_seq)
    batch_size, flush_interval = settings().batch_size, settings().flush_interval

    def lane(lanes: Lanes) -> Lane:
        return lanes.event_lane(session_id, session_event, batch_size, flush_interval, SESSION, identity=head.identity)

    return subscribe(hub(), lane, cursor, opening)


async def _open_requests(view: Reading, session_id: str, latest_seq: int) -> tuple[bytes, int]:
    """Encode the open permission requests for a client that starts at the end of the log, `latest_seq`.

    Returns them with the seq after which the stream continues. If they are too many for one write, this is the seq of
    the last one that is returned: the log has the others.
    """
    opening, after = b"", 0
    while True:
        waiting = await view.permissions(session_id, after=after, limit=REQUESTS_PER_READ)
        for event in await view.events_at(session_id, [permission.seq for permission in waiting]):
            if len(opening) > CHUNK_BYTES:
                return opening, after
            opening, after = opening + open_request(event), event.seq
        if len(waiting) < REQUESTS_PER_READ:
            return opening, latest_seq


@blueprint.post("/permission-response/<session_id>")
@needs("respond", task="session_id")
@endpoint("Answer a permission request of a session.", raises=(NoOpenRequest, Conflict, InvalidEvent))
async def respond(session_id: str, query: IdentityParameter, body: SessionAnswerBody) -> SessionAnswer:
    reason = checked_reason(body.reason)
    async with store().read() as view:
        await view.task(session_id)
        permission = await _open_request(view, session_id, body.request_id)
        if permission is None:
            raise NoOpenRequest(await _no_open_request_message(view, session_id, body.request_id))
    event = await answer_permission(session_id, permission, body.approved, reason, value=body.value, always=body.always)
    by = event.payload["by"]
    value = event.payload.get("value", UNSET)
    return SessionAnswer(permission.request_id, body.approved, reason, by, event.seq, event.created_at, value)


async def _open_request(view: Reading, session_id: str, request_id: str | None) -> Permission | None:
    """Return the open request with this id, by default the oldest; None if there is none."""
    if request_id is None:
        return next(iter(await view.permissions(session_id, limit=1)), None)
    found = await view.permission(session_id, request_id)
    return found if found and found.state == "open" else None


async def _no_open_request_message(view: Reading, session_id: str, request_id: str | None) -> str:
    if request_id is None:
        last = next((one for _, one in await view.closed_permissions(1, None, session_id)), None)
    else:
        last = await view.permission(session_id, request_id)
    if last is None:
        return (
            "no permission request is open" if request_id is None else f"there is no permission request {request_id!r}"
        )
    message = f"permission request {last.request_id!r} was already {last.state} by {last.by}"
    return message if request_id is not None else f"no permission request is open; {message}"


@blueprint.get("/health/<session_id>")
@needs("read", task="session_id")
@endpoint("Read the state of a session.")
async def health(session_id: str, query: IdentityParameter) -> SessionHealth:
    async with store().read() as view:
        task = await view.task(session_id)
        permissions = await view.permissions(session_id, limit=1)
    elsewhere = await hub().other_processes.session_streams(session_id)
    return SessionHealth(
        session_id=session_id,
        identity=task.identity,
        connections=hub().lanes.readers(session_id, session_event) + elsewhere,
        last_seq=task.latest_seq,
        permission_open=bool(permissions),
        request_id=permissions[0].request_id if permissions else None,
    )

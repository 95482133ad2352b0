"""`/api/sse/…`: the session dialect, for a copilot's tool calls. A session is a task; its id is the task's."""

from __future__ import annotations

import msgspec
from quart import Blueprint, Response, request

from signalbox.store.contract import Reading
from signalbox.store.state import Permission
from signalbox.webapp.acts.user_actions import answer_permission, checked_reason
from signalbox.webapp.auth.access import needs
from signalbox.webapp.current import hub, settings, store
from signalbox.webapp.dialects.session import SESSION, open_request, session_event
from signalbox.webapp.http.errors import error_response
from signalbox.webapp.http.json import body_as, json_response
from signalbox.webapp.http.params import last_event_id, since_seq
from signalbox.webapp.live.lane import Lane
from signalbox.webapp.live.lanes import Lanes
from signalbox.webapp.live.stream import subscribe

blueprint = Blueprint("api_sessions", __name__, url_prefix="/api/sse")


class SessionAnswerBody(msgspec.Struct, forbid_unknown_fields=True):
    """What answers the open permission request of a session, or the one that is named."""

    approved: bool
    reason: str | None = None
    request_id: str | None = None


class SessionAnswer(msgspec.Struct):
    """An answer as it was taken."""

    request_id: str
    approved: bool
    reason: str | None
    by: str
    seq: int
    timestamp: str


@blueprint.get("/events/<session_id>")
@needs("read", task="session_id", query_token=True)
async def events(session_id: str) -> Response:
    async with store().read() as view:
        head = await view.head(session_id)
        resumes = last_event_id() is not None or "since_seq" in request.args
        cursor = since_seq() if resumes else head.latest_seq
        # The database was restored, or what the client stood at is archived: it begins anew.
        if cursor > head.latest_seq or 0 < cursor < head.earliest_seq - 1:
            resumes, cursor = False, head.latest_seq
        opening = b"" if resumes else await _open_requests(view, session_id)
    batch_size, flush_interval = settings().batch_size, settings().flush_interval

    def lane(lanes: Lanes) -> Lane:
        return lanes.event_lane(session_id, session_event, batch_size, flush_interval, SESSION, identity=head.identity)

    return subscribe(hub(), lane, cursor, opening)


async def _open_requests(view: Reading, session_id: str) -> bytes:
    """What somebody who has just come must know."""
    asked = await view.permissions(session_id)
    return b"".join(map(open_request, await view.events_at(session_id, [one.seq for one in asked])))


@blueprint.post("/permission-response/<session_id>")
@needs("respond", task="session_id")
async def respond(session_id: str) -> Response:
    body: SessionAnswerBody = await body_as(SessionAnswerBody)
    reason = checked_reason(body.reason)
    async with store().read() as view:
        await view.task(session_id)
        asked = await _asked(view, session_id, body.request_id)
        if asked is None:
            problem = await _why_nothing_is_open(view, session_id, body.request_id)
            return error_response(409, problem, code="no_open_request")
    event = await answer_permission(session_id, asked, body.approved, reason)
    by = event.payload["by"]
    return json_response(SessionAnswer(asked.request_id, body.approved, reason, by, event.seq, event.created_at))


async def _asked(view: Reading, session_id: str, request_id: str | None) -> Permission | None:
    """The open request of this id, or the oldest one."""
    waiting = await view.permissions(session_id)
    return next((one for one in waiting if request_id in (None, one.request_id)), None)


async def _why_nothing_is_open(view: Reading, session_id: str, request_id: str | None) -> str:
    asked = await view.permissions(session_id, open_only=False)
    closed = [one for one in asked if request_id in (None, one.request_id)]
    if not closed:
        return "no permission request is open" if request_id is None else f"nobody asked {request_id!r}"
    last = max(closed, key=lambda one: one.closed_seq or 0)
    message = f"permission request {last.request_id!r} was already {last.state} by {last.by}"
    return message if request_id is not None else f"no permission request is open; {message}"


@blueprint.get("/health/<session_id>")
@needs("read", task="session_id")
async def health(session_id: str) -> Response:
    async with store().read() as view:
        task = await view.task(session_id)
        asked = await view.permissions(session_id)
    return json_response(
        {
            "status": "ok",
            "session_id": session_id,
            "connections": hub().lanes.readers(session_id, session_event),
            "last_seq": task.latest_seq,
            "permission_open": bool(asked),
            "request_id": asked[0].request_id if asked else None,
        }
    )

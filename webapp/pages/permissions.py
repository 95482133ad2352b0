"""Permissions: the inbox of all that are open, and one of them with its answer."""

from __future__ import annotations

from quart import Blueprint, Response, request
from werkzeug.wrappers import Response as Redirect

from store import Conflict, TaskReading
from store.state import Permission
from webapp import ids
from webapp.acts import answer_permission, back, checked_reason
from webapp.api import store
from webapp.api.streams import hub
from webapp.auth.access import needs
from webapp.auth.guard import answered_projects, seen_projects
from webapp.bad_request import BadRequest
from webapp.http.root_path import at_root
from webapp.inbox import PermissionView, inbox_view, permission_view
from webapp.live.frames import inbox_frames
from webapp.live.stream import subscribe
from webapp.pages.living import LivingPage
from webapp.pages.living import answer as answer_page
from webapp.pages.tasks import cursor_of_stream, fragments, html, layout, other_history, reset

ONE = "/tasks/<task_id>/permissions/<name:request_id>"
DECISIONS = {"approve": True, "deny": False}

blueprint = Blueprint("permissions", __name__)


@blueprint.get("/permissions")
@needs("read")
async def index() -> Response:
    async with store().read() as view:
        inbox = await inbox_view(view, seen_projects(), answered_projects())
    stream_path = at_root(f"/live/permissions?epoch={store().epoch}")
    return html(fragments().inbox_page(inbox, stream_path=stream_path, **await layout()))


@blueprint.get("/live/permissions")
@needs("read")
async def index_stream() -> Response:
    cursor = cursor_of_stream()
    async with store().read() as view:
        newest = await view.latest_event_id()
    if other_history(newest, cursor):
        return reset(newest)
    projects, answered = seen_projects(), answered_projects()
    streams, render = hub(), inbox_frames(store(), fragments(), projects, answered)
    return subscribe(streams, lambda: streams.board_lane(("permissions", projects, answered), render), cursor)


@blueprint.get(ONE, merge_slashes=False)
@needs("read")
async def show(task_id: str, request_id: str) -> Response:
    return await _shown(task_id, request_id)


@blueprint.post(ONE, merge_slashes=False)
@needs("respond")
async def answer(task_id: str, request_id: str) -> Response | Redirect:
    form = await request.form
    decision = form.get("decision", "")
    if decision not in DECISIONS:
        raise BadRequest(f"decision must be approve or deny, not {decision[:40]!r}", "decision")
    asked, reason = await permission_of(task_id, request_id), checked_reason(form.get("reason"))
    try:
        await answer_permission(task_id, asked, DECISIONS[decision], reason)
    except Conflict:
        return await _shown(task_id, request_id, refused=decision)
    return back(at_root(f"/tasks/{task_id}"))


async def permission_of(task_id: str, request_id: str) -> Permission:
    """A permission request, open or not. Raises UnknownTask or NotFound."""
    async with store().read() as view:
        return (await permission_view(view, task_id, request_id)).permission


async def _shown(task_id: str, request_id: str, refused: str = "") -> Response:
    async def read(view: TaskReading) -> PermissionView:
        return await permission_view(view, task_id, request_id)

    page = LivingPage(
        "permissions/show.html",
        {ids.permission(task_id, request_id): "permissions/_card.html"},
        read,
        lambda view: {"permission": view.permission, "first": True, "refused": refused, "place": "permissions"},
        past=read,
        born=lambda view: view.permission.seq,
    )
    response = await answer_page(task_id, page)
    if refused:
        response.status_code = 409
    return response

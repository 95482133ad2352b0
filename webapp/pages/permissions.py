"""The pages of permission requests: the inbox of open requests, and one request with its answer."""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import urlencode

from msgspec import UNSET
from quart import Blueprint, Response, request
from werkzeug.wrappers import Response as Redirect

from signalbox.store import Conflict, TaskReading
from signalbox.store.answers import InvalidAnswer
from signalbox.store.events import is_task_id
from signalbox.store.state import Permission
from signalbox.store.task_query import permission_cursor_parts
from signalbox.webapp.acts.answers import answer_permission, revoke_allowance
from signalbox.webapp.acts.user_actions import checked_reason, redirect_back
from signalbox.webapp.auth.access import needs
from signalbox.webapp.auth.guard import answerable_projects, visible_projects
from signalbox.webapp.current import fragments, hub, store
from signalbox.webapp.drawing import ids
from signalbox.webapp.http.bad_request import BadRequest
from signalbox.webapp.http.params import choice_parameter, parameter
from signalbox.webapp.http.root_path import at_root
from signalbox.webapp.live.board_frames import InboxFrames
from signalbox.webapp.live.stream import subscribe
from signalbox.webapp.pages.live_page import LivePage, page_response
from signalbox.webapp.pages.responses import cursor_of_stream, html, layout, reset_stream, shows_other_history
from signalbox.webapp.views.answer_form import AnswerForm, answer_form, value_in
from signalbox.webapp.views.permissions import PermissionView, Tab, inbox_view, permission_view

REQUEST_PATH = "/tasks/<task_id>/permissions/<name:request_id>"
DECISIONS = {"approve": True, "deny": False}

blueprint = Blueprint("permissions", __name__)


@blueprint.get("/permissions")
@needs("read")
async def index() -> Response:
    tab, task_id, after = _inbox_parameters()
    projects, answered = visible_projects(), answerable_projects()
    async with store().read() as view:
        inbox = await inbox_view(view, projects, answered, tab=tab, task_id=task_id, after=after)
    fields = {"show": tab if tab != "open" else "", "task": task_id, "after": after, "epoch": store().epoch}
    query = urlencode({name: value for name, value in fields.items() if value})
    stream_path = at_root(f"/live/permissions?{query}")
    return html(fragments().inbox_page(inbox, stream_path=stream_path, **await layout()))


@blueprint.get("/live/permissions")
@needs("read")
async def index_stream() -> Response:
    cursor, (tab, task_id, after) = cursor_of_stream(), _inbox_parameters()
    async with store().read() as view:
        newest = await view.latest_event_id()
    if shows_other_history(newest, cursor):
        return reset_stream(newest)
    projects, answered = visible_projects(), answerable_projects()
    renderer = InboxFrames(store(), fragments(), projects, answered, tab=tab, task_id=task_id, after=after)
    key = ("permissions", projects, answered, tab, task_id, after)
    return subscribe(hub(), lambda lanes: lanes.board_lane(key, renderer), cursor)


def _inbox_parameters() -> tuple[Tab, str | None, str]:
    """Return the tab of the inbox, its task or None for all, and the cursor after which the page starts.

    Raises BadRequest.
    """
    tab: Tab = "answered" if choice_parameter("show", "open", "answered") == "answered" else "open"
    task_id, after = parameter("task") or None, parameter("after") or ""
    if task_id is not None and not is_task_id(task_id):
        raise BadRequest("task must be 1 to 128 characters of A-Z a-z 0-9 _ . : -", "task")
    if after:
        permission_cursor_parts(after)
    return tab, task_id, after


@blueprint.get(REQUEST_PATH, merge_slashes=False)
@needs("read")
async def show(task_id: str, request_id: str) -> Response:
    return await _request_page(task_id, request_id)


@blueprint.post(REQUEST_PATH, merge_slashes=False)
@needs("respond")
async def answer(task_id: str, request_id: str) -> Response | Redirect:
    sent = (await request.form).to_dict()
    decision = sent.get("decision", "")
    if decision not in DECISIONS:
        raise BadRequest(f"decision must be approve or deny, not {decision[:40]!r}", "decision")
    permission, reason = await permission_of(task_id, request_id), checked_reason(sent.get("reason"))
    approved, form = DECISIONS[decision], answer_form(permission)
    always = approved and sent.get("always") == "1"
    try:
        value = value_in(form, sent) if approved and permission.state == "open" else UNSET
        await answer_permission(task_id, permission, approved, reason, value=value, always=always)
    except InvalidAnswer as error:
        wrong = replace(form, sent=sent, problems=error.problems, reason=reason or "", always=always)
        return await _request_page(task_id, request_id, form=wrong)
    except Conflict:
        return await _request_page(task_id, request_id, refused=decision)
    return redirect_back(at_root(f"/tasks/{task_id}"))


@blueprint.post("/tasks/<task_id>/allowances/revoke")
@needs("respond")
async def revoke(task_id: str) -> Redirect:
    await revoke_allowance(task_id, (await request.form).get("tool_name", ""))
    return redirect_back(at_root(f"/tasks/{task_id}"))


async def permission_of(task_id: str, request_id: str) -> Permission:
    """Return a permission request, open or closed. Raises UnknownTask or NotFound."""
    async with store().read() as view:
        return (await permission_view(view, task_id, request_id)).permission


async def _request_page(
    task_id: str, request_id: str, *, refused: str = "", form: AnswerForm | None = None
) -> Response:
    async def read(view: TaskReading) -> PermissionView:
        return await permission_view(view, task_id, request_id)

    page = LivePage(
        "permissions/show.html",
        {ids.permission(task_id, request_id): "permissions/_card.html"},
        read,
        lambda view: {
            "permission": view.permission,
            "first": True,
            "refused": refused,
            "sent_form": form,
            "has_long_form": True,
            "place": "permissions",
        },
        read_as_of=read,
        first_seq=lambda view: view.permission.seq,
    )
    response = await page_response(task_id, page)
    if refused:
        response.status_code = 409
    if form is not None:
        response.status_code = 400
    return response

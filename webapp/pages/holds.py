"""The hold of a task: a page that shows it, with the forms that put and release it."""

from __future__ import annotations

from quart import Blueprint, Response, redirect, request
from werkzeug.wrappers import Response as Redirect

from signalbox.store.events import MAX_REASON_CHARS
from signalbox.webapp.acts.user_actions import checked_reason, hold_task
from signalbox.webapp.auth.access import needs
from signalbox.webapp.auth.guard import may_answer_task
from signalbox.webapp.current import fragments, store
from signalbox.webapp.http.bad_request import BadRequest
from signalbox.webapp.http.root_path import at_root
from signalbox.webapp.pages.responses import html, layout

blueprint = Blueprint("holds", __name__)


@blueprint.get("/tasks/<task_id>/hold")
@needs("read")
async def show(task_id: str) -> Response:
    may_hold = await may_answer_task(task_id)
    async with store().glance() as view:
        task = await view.task(task_id)
    values = {"task": task, "may_hold": may_hold, "max_chars": MAX_REASON_CHARS}
    return html(fragments().plain_page("holds/index.html", await layout(), **values))


@blueprint.post("/tasks/<task_id>/hold")
@needs("respond")
async def change(task_id: str) -> Redirect:
    form = await request.form
    if "release" in form:
        await hold_task(task_id, None)
    else:
        reason = checked_reason(form.get("reason"))
        if reason is None:
            raise BadRequest("reason must say why the run is held", "reason")
        await hold_task(task_id, reason)
    return redirect(at_root(f"/tasks/{task_id}/hold"), 303)

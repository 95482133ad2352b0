"""Forms that control a run: asking it to stop, messages, starting a retry, and changing its tags."""

from __future__ import annotations

from quart import Blueprint, redirect, request
from werkzeug.wrappers import Response as Redirect

from signalbox.store.tags import tag_of
from signalbox.webapp.acts.labels import change_labels
from signalbox.webapp.acts.messages import send_message
from signalbox.webapp.acts.start_retry import retry_run
from signalbox.webapp.acts.user_actions import checked_reason, redirect_back, request_cancel
from signalbox.webapp.auth.access import needs
from signalbox.webapp.http.root_path import at_root

blueprint = Blueprint("control", __name__)


@blueprint.post("/tasks/<task_id>/cancel")
@needs("respond")
async def cancel(task_id: str) -> Redirect:
    form = await request.form
    await request_cancel(task_id, checked_reason(form.get("reason")), form=form.get("form"))
    return redirect_back(at_root(f"/tasks/{task_id}"))


@blueprint.post("/tasks/<task_id>/messages")
@needs("respond")
async def message(task_id: str) -> Redirect:
    form = await request.form
    await send_message(task_id, form.get("text", ""), form=form.get("form"))
    return redirect_back(at_root(f"/tasks/{task_id}"))


@blueprint.post("/tasks/<task_id>/tags")
@needs("respond")
async def tags(task_id: str) -> Redirect:
    """Add the tag of the form's field `tag`, or remove the one that `remove` names."""
    form = await request.form
    if removed := form.get("remove"):
        await change_labels(task_id, tags={removed: None})
    else:
        await change_labels(task_id, tags=dict([tag_of(form.get("tag", ""))]))
    return redirect_back(at_root(f"/tasks/{task_id}"))


@blueprint.post("/tasks/<task_id>/retry")
@needs("respond")
async def retry(task_id: str) -> Redirect:
    return redirect(at_root(f"/tasks/{await retry_run(task_id, (await request.form).get('form'))}"), 303)

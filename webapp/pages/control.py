"""What a person does to a run besides answering it: asking it to stop."""

from __future__ import annotations

from quart import Blueprint, request
from werkzeug.wrappers import Response as Redirect

from webapp.acts import back, checked_reason, request_cancel

blueprint = Blueprint("control", __name__)


@blueprint.post("/tasks/<task_id>/cancel")
async def cancel(task_id: str) -> Redirect:
    await request_cancel(task_id, checked_reason((await request.form).get("reason")))
    return back(f"/tasks/{task_id}")

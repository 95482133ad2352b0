"""`/api/tasks/{id}/cancel` and `/retries`: asking a run to stop, and saying that it is run again."""

from __future__ import annotations

import msgspec
from quart import Blueprint, Response

from signalbox.store.events import check_task_id
from signalbox.webapp.acts.user_actions import act, checked_reason, request_cancel
from signalbox.webapp.auth.access import needs
from signalbox.webapp.http.json import body_as, json_response

blueprint = Blueprint("api_control", __name__, url_prefix="/api/tasks")


class CancelBody(msgspec.Struct, forbid_unknown_fields=True):
    """What asks a run to stop."""

    reason: str | None = None


class RetryBody(msgspec.Struct, forbid_unknown_fields=True):
    """The id of the task that runs the same again."""

    retry: str


@blueprint.post("/<task_id>/retries")
@needs("respond")
async def retried(task_id: str) -> Response:
    body: RetryBody = await body_as(RetryBody)
    retry = check_task_id(body.retry)
    return json_response(await act(task_id, "retry_requested", key=f"retry:{retry}", retry=retry), 201)


@blueprint.post("/<task_id>/cancel")
@needs("respond")
async def cancel(task_id: str) -> Response:
    body: CancelBody = await body_as(CancelBody)
    return json_response(await request_cancel(task_id, checked_reason(body.reason)), 201)

"""`/api/tasks/{id}/cancel` and `/retries`: ask a run to stop, and link a run to its retry."""

from __future__ import annotations

import msgspec
from quart import Blueprint

from signalbox.store import Conflict, Event, InvalidEvent
from signalbox.store.events import Reason, TaskId, check_task_id
from signalbox.webapp.acts.user_actions import act, checked_reason, request_cancel
from signalbox.webapp.auth.access import needs
from signalbox.webapp.http.endpoint import endpoint

blueprint = Blueprint("api_control", __name__, url_prefix="/api/tasks")


class CancelBody(msgspec.Struct, forbid_unknown_fields=True):
    """The reason for asking a run to stop."""

    reason: Reason | None = None


class RetryBody(msgspec.Struct, forbid_unknown_fields=True):
    """The id of the task that retries this one."""

    retry: TaskId


@blueprint.post("/<task_id>/retries")
@needs("respond")
@endpoint("Record which task is a retry of this one.", status=201, raises=(InvalidEvent, Conflict))
async def retried(task_id: str, body: RetryBody) -> Event:
    retry = check_task_id(body.retry, "retry")
    return await act(task_id, "retry_requested", key=f"retry:{retry}", retry=retry)


@blueprint.post("/<task_id>/cancel")
@needs("respond")
@endpoint("Ask a run to stop.", status=201, raises=(Conflict,))
async def cancel(task_id: str, body: CancelBody) -> Event:
    return await request_cancel(task_id, checked_reason(body.reason))

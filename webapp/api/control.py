"""`/api/tasks/{id}/cancel`: asking a run to stop."""

from __future__ import annotations

import msgspec
from quart import Blueprint, Response

from webapp.acts import checked_reason, request_cancel
from webapp.auth.access import needs
from webapp.json import body_as, json_response

blueprint = Blueprint("api_control", __name__, url_prefix="/api/tasks")


class CancelBody(msgspec.Struct, forbid_unknown_fields=True):
    """What asks a run to stop."""

    reason: str | None = None


@blueprint.post("/<task_id>/cancel")
@needs("respond")
async def cancel(task_id: str) -> Response:
    body: CancelBody = await body_as(CancelBody)
    return json_response(await request_cancel(task_id, checked_reason(body.reason)), 201)

"""`/api/tasks/{id}/permissions`: what a run asks, and the answer to it."""

from __future__ import annotations

import msgspec
from quart import Blueprint, Response

from store.state import Permission
from webapp.acts import answer_permission, checked_reason
from webapp.api import store
from webapp.auth.access import needs
from webapp.errors import answer as error
from webapp.json import body_as, json_response

blueprint = Blueprint("api_permissions", __name__, url_prefix="/api/tasks")


class AnswerBody(msgspec.Struct, forbid_unknown_fields=True):
    """What answers a permission request."""

    approved: bool
    reason: str | None = None


@blueprint.get("/<task_id>/permissions")
@needs("read")
async def index(task_id: str) -> Response:
    async with store().read() as view:
        await view.task(task_id)
        return json_response(await view.permissions(task_id))


@blueprint.post("/<task_id>/permissions/<path:request_id>", merge_slashes=False)
@needs("respond")
async def answer(task_id: str, request_id: str) -> Response:
    body: AnswerBody = await body_as(AnswerBody)
    reason = checked_reason(body.reason)
    async with store().read() as view:
        await view.task(task_id)
        asked: Permission | None = await view.permission(task_id, request_id)
    if asked is None:
        return error(404, f"there is no permission request {request_id!r}", code="unknown_permission")
    return json_response(await answer_permission(task_id, asked, body.approved, reason), 201)

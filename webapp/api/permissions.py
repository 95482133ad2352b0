"""`/api/tasks/{id}/permissions`: what a run asks, and the answer to it."""

from __future__ import annotations

from urllib.parse import urlencode

import msgspec
from quart import Blueprint, Response, request

from signalbox.store.state import Permission
from signalbox.webapp.acts.user_actions import answer_permission, checked_reason
from signalbox.webapp.api.bounds import within_bytes
from signalbox.webapp.auth.access import needs
from signalbox.webapp.current import store
from signalbox.webapp.http.errors import error_response
from signalbox.webapp.http.json import body_as, json_response
from signalbox.webapp.http.params import MAX_SEQ, whole
from signalbox.webapp.http.root_path import at_root

blueprint = Blueprint("api_permissions", __name__, url_prefix="/api/tasks")


class AnswerBody(msgspec.Struct, forbid_unknown_fields=True):
    """What answers a permission request."""

    approved: bool
    reason: str | None = None


@blueprint.get("/<task_id>/permissions")
@needs("read")
async def index(task_id: str) -> Response:
    after, limit = whole("after", 0, 0, MAX_SEQ), whole("limit", 100, 1, 1000)
    async with store().read() as view:
        await view.task(task_id)
        found = await view.permissions(task_id, after=after, limit=limit + 1)
    shown = within_bytes(found[:limit], lambda one: len(msgspec.json.encode(one)))
    response = json_response(shown)
    if len(found) > len(shown):
        query = urlencode({"after": shown[-1].seq, "limit": limit})
        response.headers["Link"] = f'<{at_root(request.path)}?{query}>; rel="next"'
    return response


@blueprint.post("/<task_id>/permissions/<name:request_id>", merge_slashes=False)
@needs("respond")
async def answer(task_id: str, request_id: str) -> Response:
    body: AnswerBody = await body_as(AnswerBody)
    reason = checked_reason(body.reason)
    async with store().read() as view:
        await view.task(task_id)
        asked: Permission | None = await view.permission(task_id, request_id)
    if asked is None:
        return error_response(404, f"there is no permission request {request_id!r}", code="unknown_permission")
    return json_response(await answer_permission(task_id, asked, body.approved, reason), 201)

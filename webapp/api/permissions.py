"""`/api/tasks/{id}/permissions`: reads and answers the permission requests of a run."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta
from quart import Blueprint

from signalbox.store import Conflict, Event, InvalidEvent
from signalbox.store.bounded_reads import bounded_read
from signalbox.store.events import Reason
from signalbox.store.state import Permission
from signalbox.webapp.acts.answers import answer_permission, revoke_allowance
from signalbox.webapp.acts.user_actions import checked_reason
from signalbox.webapp.api.bounds import MAX_PAYLOAD_BYTES
from signalbox.webapp.api.parameters import LIMIT_DESCRIPTION, Seq
from signalbox.webapp.auth.access import needs
from signalbox.webapp.current import store
from signalbox.webapp.http.endpoint import Result, endpoint
from signalbox.webapp.http.refusals import UnknownPermission
from signalbox.webapp.http.root_path import next_page

blueprint = Blueprint("api_permissions", __name__, url_prefix="/api/tasks")

STEPS = 20, 40
"""Requests of the first query, and of each further one. Each may have 256 KiB of arguments."""


class PermissionParameters(msgspec.Struct, frozen=True, kw_only=True):
    """Which open requests to read."""

    after: Annotated[Seq, Meta(description="Only requests after this seq.")] = 0
    limit: Annotated[int, Meta(ge=1, le=1000, description=LIMIT_DESCRIPTION)] = 100


class AnswerBody(msgspec.Struct, forbid_unknown_fields=True):
    """The answer to a permission request."""

    approved: bool
    reason: Reason | None = None
    value: Annotated[Any, Meta(description="The value that the request asks for; see `response_schema`.")] = UNSET
    always: Annotated[bool, Meta(description="Also approve later requests of the tool in this run.")] = False


@blueprint.get("/<task_id>/permissions")
@needs("read")
@endpoint("Read the open permission requests of a run, the oldest first.", pages=True)
async def index(task_id: str, query: PermissionParameters) -> Result[list[Permission]]:
    async with store().read() as view:
        await view.task(task_id)
        # One more request tells whether there is another page.
        found, more = await bounded_read(
            lambda last, limit: view.permissions(task_id, after=last.seq if last else query.after, limit=limit),
            query.limit + 1,
            MAX_PAYLOAD_BYTES,
            lambda one: len(msgspec.json.encode(one)),
            steps=STEPS,
        )
    shown = found[: query.limit]
    return Result(shown, next=next_page(after=shown[-1].seq, limit=query.limit) if more else None)


@blueprint.post("/<task_id>/permissions/<name:request_id>", merge_slashes=False)
@needs("respond")
@endpoint("Answer a permission request.", status=201, raises=(Conflict, UnknownPermission, InvalidEvent))
async def answer(task_id: str, request_id: str, body: AnswerBody) -> Event:
    reason = checked_reason(body.reason)
    async with store().read() as view:
        await view.task(task_id)
        permission: Permission | None = await view.permission(task_id, request_id)
    if permission is None:
        raise UnknownPermission(request_id)
    return await answer_permission(task_id, permission, body.approved, reason, value=body.value, always=body.always)


@blueprint.delete("/<task_id>/allowances/<name:tool_name>", merge_slashes=False)
@needs("respond")
@endpoint("Stop always allowing a tool in this run.", raises=(Conflict, InvalidEvent))
async def revoke(task_id: str, tool_name: str) -> Event:
    return await revoke_allowance(task_id, tool_name)

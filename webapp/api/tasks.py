"""`/api/tasks`: list, create, archive and delete."""

from __future__ import annotations

from typing import Any

import msgspec
from quart import Blueprint, Response, request

from signalbox.store import SORTS, TaskQuery
from signalbox.store.reserved import check_kind
from signalbox.store.state import STATUSES, Progress, Task, Unfinished
from signalbox.webapp.acts.user_actions import archive_task, delete_task
from signalbox.webapp.auth.access import needs
from signalbox.webapp.auth.guard import project_for_new, require, seen_projects
from signalbox.webapp.current import store
from signalbox.webapp.http.bad_request import BadRequest
from signalbox.webapp.http.json import body_as, json_response
from signalbox.webapp.http.params import flag, since_when, whole

blueprint = Blueprint("api_tasks", __name__, url_prefix="/api/tasks")


class TaskBody(msgspec.Struct, forbid_unknown_fields=True):
    """What `POST /api/tasks` takes."""

    task_id: str | None = None
    title: str | None = None
    kind: str | None = None
    metadata: dict[str, Any] | None = None
    project_id: str | None = None


class TaskResponse(msgspec.Struct):
    """A task as the API shows it."""

    task_id: str
    title: str | None
    kind: str | None
    project_id: str
    metadata: dict[str, Any]
    status: str
    phase: str | None
    progress: Progress | None
    message: str | None
    error: str | None
    exit_code: int | None
    cancel_requested: bool
    retries: list[str]
    latest_seq: int
    spans_open: int
    items_total: int
    items_done: int
    items_failed: int
    checkpoints_total: int
    permissions_open: int
    stale: bool
    archived_at: str | None
    created_at: str
    started_at: str | None
    ended_at: str | None
    updated_at: str


def shown(task: Task) -> TaskResponse:
    """A task in the API's form."""
    return msgspec.convert(task, TaskResponse, from_attributes=True)


def task_query(*, default_limit: int = 50, max_limit: int = 500) -> TaskQuery:
    """The filters and the cursor of the request. Raises BadRequest."""
    statuses = tuple(word for given in request.args.getlist("status") for word in given.split(",") if word)
    for word in statuses:
        if word not in STATUSES:
            raise BadRequest(f"status must be one of {', '.join(STATUSES)}, not {word[:40]!r}", "status")
    sort = request.args.get("sort") or "newest"
    if sort not in SORTS:
        raise BadRequest(f"sort must be one of {', '.join(SORTS)}, not {sort[:40]!r}", "sort")
    return TaskQuery(
        # In one order, so that the same question is one question.
        statuses=tuple(word for word in STATUSES if word in statuses),
        projects=seen_projects(),
        project=request.args.get("project") or None,
        text=request.args.get("q", "")[:256],
        kind=request.args.get("kind") or None,
        since=since_when("created_since"),
        until=since_when("created_until"),
        stale=flag("stale"),
        archived=flag("archived"),
        sort=sort,
        before=request.args.get("cursor") or None,
        limit=whole("limit", default_limit, 1, max_limit),
    )


@blueprint.get("")
@needs("read")
async def index() -> Response:
    async with store().read() as view:
        page = await view.tasks(task_query())
    return json_response(
        {
            "tasks": [shown(task) for task in page.tasks],
            "has_more": page.cursor is not None,
            "next_cursor": page.cursor,
        }
    )


@blueprint.post("")
@needs("emit")
async def create() -> Response:
    body: TaskBody = await body_as(TaskBody)
    check_kind(body.kind)
    project_id = await project_for_new(body.project_id)
    task, new = await store().acreate_task(
        body.task_id, title=body.title, kind=body.kind, metadata=body.metadata, project_id=project_id
    )
    if not new:
        await require("emit", task.task_id)
    return json_response(shown(task), 201 if new else 200)


@blueprint.get("/<task_id>")
@needs("read")
async def show(task_id: str) -> Response:
    async with store().read() as view:
        task, lines = await view.task(task_id), await view.unfinished(task_id)
    return json_response({**msgspec.structs.asdict(shown(task)), "unfinished": lines})


@blueprint.put("/<task_id>/unfinished")
@needs("emit")
async def set_unfinished(task_id: str) -> Response:
    lines: list[Unfinished] = await body_as(list[Unfinished])
    await store().aset_unfinished(task_id, lines)
    return Response(status=204)


@blueprint.delete("/<task_id>")
@needs("admin")
async def delete(task_id: str) -> Response:
    await delete_task(task_id)
    return Response(status=204)


@blueprint.post("/<task_id>/archive")
@needs("respond")
async def archive(task_id: str) -> Response:
    return json_response(shown(await archive_task(task_id, True)))


@blueprint.delete("/<task_id>/archive")
@needs("respond")
async def restore(task_id: str) -> Response:
    return json_response(shown(await archive_task(task_id, False)))

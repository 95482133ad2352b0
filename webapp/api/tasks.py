"""`/api/tasks`: lists, creates, archives and deletes tasks."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

import msgspec
from msgspec import Meta
from quart import Blueprint

from signalbox.store import Conflict, InvalidEvent
from signalbox.store.emitter.fit_labels import labelled
from signalbox.store.events import GivenReason, Line, TaskId, Title
from signalbox.store.people import ProjectId
from signalbox.store.reserved import check_kind
from signalbox.store.state import Allowance, Hold, Progress, Status, Task, Unfinished
from signalbox.store.tags import (
    MAX_LINKS,
    MAX_NAME_CHARS,
    MAX_TAG_CHARS,
    MAX_TAGS,
    MAX_URL_CHARS,
    NAME_PATTERN,
    URL_PATTERN,
    VALUE_PATTERN,
)
from signalbox.webapp.acts.labels import change_labels
from signalbox.webapp.acts.user_actions import (
    archive_task,
    delete_task,
    hold_task,
    move_to_cold_storage,
    restore_from_cold_storage,
)
from signalbox.webapp.api.parameters import IdentityParameter
from signalbox.webapp.api.usage import UsageResponse, usage_response
from signalbox.webapp.auth.access import needs
from signalbox.webapp.auth.guard import project_for_new, require, task_identity, visible_projects
from signalbox.webapp.current import budgets, prices, redaction_on_write, store
from signalbox.webapp.http.endpoint import Result, endpoint
from signalbox.webapp.http.refusals import UnknownProject
from signalbox.webapp.http.root_path import at_root
from signalbox.webapp.prices.budget import Budget
from signalbox.webapp.views.list_query import ListFilters, task_query

blueprint = Blueprint("api_tasks", __name__, url_prefix="/api/tasks")


_NAMES = {"propertyNames": {"pattern": NAME_PATTERN}}
TagValue = Annotated[str, Meta(extra_json_schema={"pattern": VALUE_PATTERN})] | int | float | bool
Url = Annotated[str, Meta(extra_json_schema={"pattern": URL_PATTERN})]
TAGS = f"At most {MAX_TAGS}; a name has at most {MAX_NAME_CHARS} characters, a value {MAX_TAG_CHARS}."
LINKS = f"At most {MAX_LINKS} http or https addresses by name, each of at most {MAX_URL_CHARS} characters."

_TAGS, _LINKS = _NAMES | {"maxProperties": MAX_TAGS}, _NAMES | {"maxProperties": MAX_LINKS}


class TaskBody(msgspec.Struct, forbid_unknown_fields=True):
    """A new task. The default of `task_id` is a new id; the default of `project_id` is the project of the token."""

    task_id: TaskId | None = None
    title: Title | None = None
    kind: Annotated[Line, Meta(description="Any kind except `agent`, which only the server uses.")] | None = None
    metadata: dict[str, Any] | None = None
    tags: Annotated[dict[str, TagValue], Meta(description=TAGS, extra_json_schema=_TAGS)] | None = None
    links: Annotated[dict[str, Url], Meta(description=LINKS, extra_json_schema=_LINKS)] | None = None
    project_id: ProjectId | None = None
    budget: Annotated[Budget, Meta(description="What the run may use. It is kept in the `metadata`.")] | None = None


class LabelsBody(msgspec.Struct, forbid_unknown_fields=True):
    """Changes of tags and links by name. null removes one."""

    tags: Annotated[dict[str, TagValue | None], Meta(description=TAGS, extra_json_schema=_TAGS)] = {}
    links: Annotated[dict[str, Url | None], Meta(description=LINKS, extra_json_schema=_LINKS)] = {}


class TaskResponse(msgspec.Struct):
    """A task as the API shows it. Its `identity` differs from that of any other task that had or gets its id."""

    task_id: str
    identity: str
    title: str | None
    kind: str | None
    project_id: str
    metadata: dict[str, Any]
    tags: dict[str, str]
    links: dict[str, str]
    status: Status
    phase: str | None
    progress: Progress | None
    message: str | None
    error: str | None
    exit_code: int | None
    cancel_requested: bool
    retries: list[str]
    latest_seq: int
    spans_total: int
    spans_open: int
    items_total: int
    items_done: int
    items_failed: int
    checkpoints_total: int
    permissions_open: int
    allowances: dict[str, Allowance]
    stale: bool
    archived_at: str | None
    hold: Hold | None
    created_at: str
    started_at: str | None
    ended_at: str | None
    updated_at: str
    usage: UsageResponse | None
    over_budget: Annotated[str, Meta(description="The limit that the run has exceeded.")] | None


class TaskAtWork(TaskResponse, kw_only=True):
    """A task with the unfinished lines of its run, which may still change."""

    unfinished: list[Unfinished]


class HoldBody(msgspec.Struct, forbid_unknown_fields=True):
    """The reason of a hold, which pages and the audit log show."""

    reason: GivenReason


class TaskListResponse(msgspec.Struct, kw_only=True):
    """Tasks, and the cursor of the next page if there is one."""

    tasks: list[TaskResponse]
    has_more: bool
    next_cursor: str | None


def to_response(task: Task) -> TaskResponse:
    """Return a task in the API's form."""
    fields = {name: getattr(task, name) for name in TaskResponse.__struct_fields__ if name != "over_budget"}
    computed = {"usage": usage_response(task.usage), "over_budget": budgets().exceeded(task, prices())}
    return TaskResponse(**fields | computed)


@blueprint.get("")
@needs("read")
@endpoint("List tasks.", raises=(Conflict,))
async def index(query: ListFilters) -> TaskListResponse:
    async with store().read() as view:
        page = await view.tasks(task_query(query, visible_projects()))
    tasks = list(map(to_response, page.tasks))
    return TaskListResponse(tasks=tasks, has_more=page.cursor is not None, next_cursor=page.cursor)


@blueprint.post("")
@needs("emit")
@endpoint("Create a task.", status=201, also=(200,), raises=(InvalidEvent, UnknownProject), located=True)
async def create(body: TaskBody) -> Result[TaskResponse]:
    """If a task with this id exists, the status is 200 and the response is that task, unchanged.

    `tags` and `links` may also be objects of the `metadata`.
    """
    check_kind(body.kind)
    project_id = await project_for_new(body.project_id)
    metadata = labelled(_with_budget(body), body.tags, body.links, strict=True)
    hide = redaction_on_write()
    task, new = await store().acreate_task(
        body.task_id,
        title=hide.text(body.title),
        kind=body.kind,
        metadata=await asyncio.to_thread(hide.value, metadata) if hide.active else metadata,
        project_id=project_id,
    )
    if not new:
        await require("emit", task.task_id)
    location = at_root(f"/api/tasks/{task.task_id}")
    return Result(to_response(task), status=201 if new else 200, location=location if new else None)


def _with_budget(body: TaskBody) -> dict[str, Any] | None:
    """Return the metadata of a new task with its budget. A budget without a limit is none."""
    budget = body.budget
    if budget is None or (budget.cost_usd is None and budget.tokens is None):
        return body.metadata
    return {**(body.metadata or {}), "budget": msgspec.to_builtins(budget)}


@blueprint.get("/<task_id>")
@needs("read")
@endpoint("Read one task.")
async def show(task_id: str) -> TaskAtWork:
    async with store().read() as view:
        task, lines = await view.task(task_id), await view.unfinished(task_id)
    return TaskAtWork(**msgspec.structs.asdict(to_response(task)), unfinished=lines)


@blueprint.post("/<task_id>/tags")
@needs("respond")
@endpoint("Set or remove tags and links of a task.", status=201, raises=(InvalidEvent, Conflict))
async def set_labels(task_id: str, body: LabelsBody) -> TaskResponse:
    """This is an audited act of the caller. A run changes its own tags with an event `tags_changed`."""
    await change_labels(task_id, tags=body.tags, links=body.links)
    async with store().glance() as view:
        return to_response(await view.task(task_id))


@blueprint.put("/<task_id>/unfinished")
@needs("emit")
@endpoint("Replace the unfinished lines of a task that has not ended.", status=204)
async def set_unfinished(task_id: str, query: IdentityParameter, body: list[Unfinished]) -> None:
    hide = redaction_on_write()
    lines = [msgspec.structs.replace(line, message=hide.text(line.message) or "") for line in body]
    await store().aset_unfinished(task_id, lines, identity=task_identity())


@blueprint.put("/<task_id>/hold")
@needs("respond")
@endpoint("Hold a task, so that it is neither deleted nor moved to cold storage.", raises=(InvalidEvent, Conflict))
async def hold(task_id: str, body: HoldBody) -> TaskResponse:
    """A second hold replaces the first."""
    return to_response(await hold_task(task_id, body.reason))


@blueprint.delete("/<task_id>/hold")
@needs("respond")
@endpoint("Release a task that is held.", raises=(Conflict,))
async def release(task_id: str) -> TaskResponse:
    return to_response(await hold_task(task_id, None))


class ColdStorageResponse(msgspec.Struct):
    """A task in cold storage: the number of its events, the size of its file in bytes, and when it was moved."""

    task_id: str
    events: int
    bytes: int
    moved_at: str


@blueprint.put("/<task_id>/cold")
@needs("admin")
@endpoint("Move a task that ended to cold storage.", raises=(InvalidEvent, Conflict))
async def move_to_cold(task_id: str) -> ColdStorageResponse:
    """The response comes when the file is complete and the rows are removed. An event brings the task back."""
    moved = await move_to_cold_storage(task_id)
    return ColdStorageResponse(moved.task_id, moved.events, moved.bytes, moved.moved_at)


@blueprint.delete("/<task_id>/cold")
@needs("admin")
@endpoint("Bring a task back from cold storage.", status=204)
async def restore_from_cold(task_id: str) -> None:
    """A task whose log is in the database stays as it is."""
    await restore_from_cold_storage(task_id)


@blueprint.delete("/<task_id>")
@needs("admin")
@endpoint("Delete a task and its log. The run must have ended.", status=204, raises=(Conflict,))
async def delete(task_id: str) -> None:
    await delete_task(task_id)


@blueprint.post("/<task_id>/archive")
@needs("respond")
@endpoint("Archive a task, which hides it from the list.", raises=(Conflict,))
async def archive(task_id: str) -> TaskResponse:
    return to_response(await archive_task(task_id, True))


@blueprint.delete("/<task_id>/archive")
@needs("respond")
@endpoint("Restore an archived task.", raises=(Conflict,))
async def restore(task_id: str) -> TaskResponse:
    return to_response(await archive_task(task_id, False))

"""`/api/v1/projects/{project_id}/agent/runs`: the runs of a project's agent. A run is a task with the same id."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta
from quart import Blueprint, Response

from signalbox.store import Conflict, InvalidEvent, TaskQuery, UnknownTask
from signalbox.store.events import MAX_TITLE_CHARS, TaskId, Title, check_task_id, check_text
from signalbox.store.identity import check_identity
from signalbox.store.state import Status, Task
from signalbox.store.task_query import CURSOR_PATTERN, MAX_CURSOR_CHARS
from signalbox.webapp.acts.user_actions import audit, checked_reason, request_cancel
from signalbox.webapp.agents.adoption import KIND
from signalbox.webapp.agents.errors import AgentUnavailable
from signalbox.webapp.api.control import CancelBody
from signalbox.webapp.api.parameters import LIMIT_DESCRIPTION, Resume
from signalbox.webapp.api.projects import project_of
from signalbox.webapp.auth.access import needs
from signalbox.webapp.current import agents, hub, store
from signalbox.webapp.dialects.run import RUN, RUN_STATUS, RunStatus, run_messages
from signalbox.webapp.http.endpoint import EVENT_STREAM, Result, endpoint
from signalbox.webapp.http.refusals import TooManyStreams
from signalbox.webapp.live.stream import subscribe

blueprint = Blueprint("api_runs", __name__, url_prefix="/api/v1/projects/<project_id>/agent/runs")


class RunBody(msgspec.Struct, forbid_unknown_fields=True):
    """A run to start. `command` is one that the project allows; by default the first of them."""

    run_id: TaskId | None = None
    command: str | None = None
    title: Title | None = None


class RunView(msgspec.Struct):
    """A run in this dialect's form. `task_status` is the status of its task."""

    run_id: str
    project_id: str
    title: str | None
    status: RunStatus
    task_status: Status
    error: str | None
    exit_code: int | None
    created_at: str
    started_at: str | None
    ended_at: str | None


class RunParameters(msgspec.Struct, frozen=True, kw_only=True):
    """Which runs to list."""

    cursor: Annotated[
        Annotated[str, Meta(max_length=MAX_CURSOR_CHARS)],
        Meta(description="The `next_cursor` of the previous page.", extra_json_schema={"pattern": CURSOR_PATTERN}),
    ] = ""
    limit: Annotated[int, Meta(ge=1, le=500, description=LIMIT_DESCRIPTION)] = 50


class Runs(msgspec.Struct, kw_only=True):
    """Runs, the newest first, and the cursor of the next page if there is one."""

    runs: list[RunView]
    has_more: bool
    next_cursor: str | None


@blueprint.get("")
@needs("read")
@endpoint("List the runs of a project, newest first.")
async def index(project_id: str, query: RunParameters) -> Runs:
    project = await project_of(project_id)
    wanted = TaskQuery(kind=KIND, projects=(project.project_id,), limit=query.limit, before=query.cursor or None)
    async with store().read() as view:
        page = await view.tasks(wanted)
    return Runs(runs=list(map(to_view, page.tasks)), has_more=page.cursor is not None, next_cursor=page.cursor)


@blueprint.post("")
@needs("respond")
@endpoint("Start a run.", status=201, also=(200,), raises=(InvalidEvent, Conflict, AgentUnavailable))
async def start(project_id: str, body: RunBody | None = None) -> Result[RunView]:
    """The status is 200 if a run is active or has this id already; the response is that run. The body is optional."""
    asked = body or RunBody()
    if asked.run_id is not None:
        check_task_id(asked.run_id, "run_id")
    check_text(asked.title, "title", optional=True, limit=MAX_TITLE_CHARS)
    project = await project_of(project_id)
    task, new = await agents().start(project, asked.run_id, command=asked.command, title=asked.title)
    if new:
        await audit("run_started", task.task_id, command=asked.command)
    return Result(to_view(task), status=201 if new else 200)


@blueprint.get("/<run_id>")
@needs("read")
@endpoint("Read one run.")
async def show(project_id: str, run_id: str) -> RunView:
    return to_view(await _run(project_id, run_id))


@blueprint.get("/<run_id>/stream")
@needs("read")
@endpoint(
    "Follow a run: its log as lines, then its status.",
    media_type=EVENT_STREAM,
    raises=(TooManyStreams, AgentUnavailable),
)
async def stream(project_id: str, run_id: str, query: Resume) -> Response:
    """`event: log` is a line of the log, as `data: <ISO time> <text>`; `event: status` is the result of the run."""
    task = await _run(project_id, run_id)
    check_identity(run_id, query.identity, task.identity)
    if not task.ended and task.metadata.get("agent") == "upstream":
        project = await project_of(project_id)
        # Without an agent, the log is all there is of the run.
        if project.agent is not None:
            await agents().check(project)
    # A cursor beyond the log comes from before the database was restored: send the whole log again.
    cursor = 0 if query.cursor > task.latest_seq else query.cursor
    renderer = run_messages(store(), run_id, task.identity)
    return subscribe(
        hub(),
        lambda lanes: lanes.frame_lane(run_id, renderer, "run", control_messages=RUN, identity=task.identity),
        cursor,
    )


@blueprint.post("/<run_id>/cancel")
@needs("respond")
@endpoint("Ask a run to stop.", status=202, raises=(Conflict,))
async def cancel(project_id: str, run_id: str, body: CancelBody | None = None) -> RunView:
    await _run(project_id, run_id)
    await request_cancel(run_id, checked_reason(body.reason if body else None))
    return to_view(await _run(project_id, run_id))


def to_view(task: Task) -> RunView:
    """Return a task in this dialect's form."""
    return RunView(
        run_id=task.task_id,
        project_id=task.project_id,
        title=task.title,
        status=RUN_STATUS[task.status],
        task_status=task.status,
        error=task.error,
        exit_code=task.exit_code,
        created_at=task.created_at,
        started_at=task.started_at,
        ended_at=task.ended_at,
    )


async def _run(project_id: str, run_id: str) -> Task:
    """Return the run with this id in this project. Raises UnknownProject or UnknownTask."""
    await project_of(project_id)
    async with store().glance() as view:
        task = await view.task(run_id)
    if task.project_id != project_id:
        raise UnknownTask(run_id)
    return task

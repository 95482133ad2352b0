"""`/api/v1/projects/{project_id}/agent/runs`: the runs of a project's agent. A run is a task; its id is the task's."""

from __future__ import annotations

import msgspec
from quart import Blueprint, Response

from signalbox.store import InvalidEvent, TaskQuery, UnknownTask
from signalbox.store.events import check_task_id
from signalbox.store.state import Task
from signalbox.webapp.acts.user_actions import audit, checked_reason, request_cancel
from signalbox.webapp.agents.agent_runs import KIND
from signalbox.webapp.api.control import CancelBody
from signalbox.webapp.api.projects import project_of
from signalbox.webapp.auth.access import needs
from signalbox.webapp.current import agents, hub, store
from signalbox.webapp.dialects.run import RUN, RUN_STATUS, RunStatus, run_messages
from signalbox.webapp.http.bad_request import BadRequest
from signalbox.webapp.http.json import body_as, json_response
from signalbox.webapp.http.params import since_seq, whole
from signalbox.webapp.live.stream import subscribe

blueprint = Blueprint("api_runs", __name__, url_prefix="/api/v1/projects/<project_id>/agent/runs")


class RunBody(msgspec.Struct, forbid_unknown_fields=True):
    """What starts a run. `command` is one of those that the project allows; the first unless it is given."""

    run_id: str | None = None
    command: str | None = None
    title: str | None = None


class RunView(msgspec.Struct):
    """A run as this dialect shows it; `task_status` is the status of its task."""

    run_id: str
    project_id: str
    title: str | None
    status: RunStatus
    task_status: str
    error: str | None
    exit_code: int | None
    created_at: str
    started_at: str | None
    ended_at: str | None


@blueprint.get("")
@needs("read")
async def index(project_id: str) -> Response:
    project, limit = await project_of(project_id), whole("limit", 50, 1, 500)
    async with store().read() as view:
        page = await view.tasks(TaskQuery(kind=KIND, projects=(project.project_id,), limit=limit))
    return json_response({"runs": list(map(shown, page.tasks))})


@blueprint.post("")
@needs("respond")
async def start(project_id: str) -> Response:
    body: RunBody = await body_as(RunBody, empty=RunBody())
    if body.run_id is not None:
        _check_run_id(body.run_id)
    project = await project_of(project_id)
    task, new = await agents().start(project, body.run_id, command=body.command, title=body.title)
    if new:
        await audit("run_started", task.task_id, command=body.command)
    return json_response(shown(task), 201 if new else 200)


@blueprint.get("/<run_id>")
@needs("read")
async def show(project_id: str, run_id: str) -> Response:
    return json_response(shown(await _run(project_id, run_id)))


@blueprint.get("/<run_id>/stream")
@needs("read")
async def stream(project_id: str, run_id: str) -> Response:
    cursor = since_seq()
    task = await _run(project_id, run_id)
    if not task.ended and task.metadata.get("agent") == "upstream":
        project = await project_of(project_id)
        # Without its agent a run is what is in its log.
        if project.agent is not None:
            await agents().check(project)
    # A position of another history: the database was restored. All is told again.
    cursor = 0 if cursor > task.latest_seq else cursor
    renderer = run_messages(store(), run_id, task.identity)
    return subscribe(
        hub(),
        lambda lanes: lanes.frame_lane(run_id, renderer, "run", control_messages=RUN, identity=task.identity),
        cursor,
    )


@blueprint.post("/<run_id>/cancel")
@needs("respond")
async def cancel(project_id: str, run_id: str) -> Response:
    body: CancelBody = await body_as(CancelBody, empty=CancelBody())
    await _run(project_id, run_id)
    await request_cancel(run_id, checked_reason(body.reason))
    return json_response(shown(await _run(project_id, run_id)), 202)


def shown(task: Task) -> RunView:
    """A task in this dialect's form."""
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


def _check_run_id(run_id: str) -> None:
    try:
        check_task_id(run_id)
    except InvalidEvent as error:
        raise BadRequest(str(error).replace("task_id", "run_id"), "run_id") from None


async def _run(project_id: str, run_id: str) -> Task:
    """The run of this id in this project. Raises UnknownProject or UnknownTask."""
    await project_of(project_id)
    async with store().glance() as view:
        task = await view.task(run_id)
    if task.project_id != project_id:
        raise UnknownTask(run_id)
    return task

"""`/api/agui/…`: the AG-UI dialect, for chat interfaces that speak the Agent User Interaction Protocol."""

from __future__ import annotations

from typing import Annotated, Any, Literal, cast

import msgspec
from msgspec import Meta
from quart import Blueprint, Response, current_app

from signalbox.store import Conflict, Event, InvalidEvent
from signalbox.store.events import MAX_TITLE_CHARS, TaskId, check_task_id
from signalbox.store.state import Task
from signalbox.webapp.acts.answers import answer_permission
from signalbox.webapp.acts.user_actions import audit, checked_reason
from signalbox.webapp.agents.errors import AgentUnavailable
from signalbox.webapp.api.parameters import Identity, LastEventId, Seq
from signalbox.webapp.api.projects import project_of
from signalbox.webapp.auth.access import needs
from signalbox.webapp.auth.guard import check_task, require
from signalbox.webapp.current import agents, hub, store
from signalbox.webapp.dialects.agui_narrations import Narrations
from signalbox.webapp.dialects.agui_stream import AGUI, MAX_INTERRUPTS, AguiRun
from signalbox.webapp.http.bad_request import BadRequest
from signalbox.webapp.http.endpoint import EVENT_STREAM, endpoint
from signalbox.webapp.http.refusals import TooManyStreams, UnknownPermission
from signalbox.webapp.live.stream import subscribe

blueprint = Blueprint("api_agui", __name__, url_prefix="/api/agui")

Id = Annotated[str, Meta(min_length=1, max_length=256)]


class ResumeEntry(msgspec.Struct, rename="camel"):
    """The answer to an interrupt. `payload` is `{"approved": …}`, with a `value` if the request asks for one."""

    interrupt_id: Annotated[str, Meta(max_length=1024)]
    status: Literal["resolved", "cancelled"]
    payload: Any = None


class RunAgentInput(msgspec.Struct, rename="camel", kw_only=True):
    """The input of a run of the protocol. Other fields, such as `tools` and `context`, are ignored."""

    thread_id: Id
    run_id: Id
    parent_run_id: Id | None = None
    state: Annotated[Any, Meta(description="The state that the previous run of the thread sent.")] = None
    messages: list[Any] = []
    resume: Annotated[list[ResumeEntry], Meta(max_length=MAX_INTERRUPTS)] | None = None


class StartProps(msgspec.Struct):
    """The properties of a start. `command` is one that the project allows; by default the first of them."""

    command: str | None = None


class StartAgentInput(RunAgentInput, rename="camel", kw_only=True):
    """The input of a run that starts a run of a project: the thread has its id."""

    thread_id: TaskId
    forwarded_props: StartProps | None = None


class AguiParameters(msgspec.Struct, frozen=True, kw_only=True):
    """Where a run of the protocol begins: after this seq, else where `state` says, else at the beginning of the log."""

    since_seq: Annotated[Seq | None, Meta(description="The seq after which to start, exclusive.")] = None
    identity: Identity = None


class AguiResume(LastEventId, frozen=True, kw_only=True):
    """Where a stream continues: after the id of the last message, else after `since_seq`."""

    since_seq: Annotated[Seq, Meta(description="The seq after which to start, exclusive.")] = 0
    identity: Identity = None


@blueprint.get("/runs/<task_id>")
@needs("read", query_token=True)
@endpoint("Follow a run as AG-UI events.", media_type=EVENT_STREAM, raises=(TooManyStreams,))
async def follow(task_id: str, query: AguiResume) -> Response:
    """The `data` of each message is an AG-UI event. A client that sends the id of its last message continues there."""
    task = await _task(task_id)
    run = AguiRun(store(), _narrations(), task_id, task.identity, task_id, task.identity)
    cursor, resumed = query.last_id or 0, query.last_id is not None
    if not resumed or cursor > task.latest_seq:
        # A position beyond the log comes from before the database was restored: begin again.
        resumed, cursor = False, 0 if cursor else query.since_seq
    return await _stream(run, task, min(cursor, task.latest_seq), None if resumed else "", "agui")


@blueprint.post("/runs/<task_id>")
@needs("read")
@endpoint(
    "Run AG-UI over a run: answer its interrupts, and follow it.",
    media_type=EVENT_STREAM,
    raises=(TooManyStreams, Conflict, UnknownPermission, InvalidEvent),
)
async def run(task_id: str, query: AguiParameters, body: RunAgentInput) -> Response:
    """Entries of `resume` answer permission requests, which needs the right `respond`. Then the run is followed."""
    return await _run(await _task(task_id), query.since_seq, body)


@blueprint.post("/projects/<project_id>")
@needs("respond")
@endpoint(
    "Start a run of a project's agent with AG-UI, or continue its thread.",
    media_type=EVENT_STREAM,
    raises=(TooManyStreams, Conflict, UnknownPermission, InvalidEvent, AgentUnavailable),
)
async def start(project_id: str, query: AguiParameters, body: StartAgentInput) -> Response:
    """The thread is a run with the id `threadId`. `forwardedProps` may have the name of a `command` of the project."""
    check_task_id(body.thread_id, "threadId")
    command = body.forwarded_props.command if body.forwarded_props else None
    project = await project_of(project_id)
    task, new = await agents().start(project, body.thread_id, command=command, title=_title(body.messages))
    if new:
        await audit("run_started", task.task_id, command=command)
    await require("read", task.task_id)
    return await _run(task, query.since_seq, body)


async def _run(task: Task, since_seq: int | None, body: RunAgentInput) -> Response:
    if body.resume:
        await require("respond", task.task_id)
        for entry in body.resume:
            await _answer(task.task_id, body.run_id, entry)
    cursor = _position(body.state, task) if since_seq is None else since_seq
    run = AguiRun(store(), _narrations(), task.task_id, task.identity, body.thread_id, body.run_id)
    return await _stream(run, task, min(cursor, task.latest_seq), body.parent_run_id or "", ("agui", run))


async def _stream(run: AguiRun, task: Task, cursor: int, parent: str | None, key: object) -> Response:
    """Return the stream after `cursor`. `parent` is the run before this one, or "", or None for a resumed stream."""
    opening = b""
    if parent is None:
        await run.prepare(cursor)
    else:
        opening = await run.opening(cursor, parent or None)
    return subscribe(
        hub(),
        lambda lanes: lanes.frame_lane(task.task_id, run, key, control_messages=AGUI, identity=task.identity),
        cursor,
        opening,
    )


def _narrations() -> Narrations:
    return cast(Narrations, current_app.extensions["narrations"])


async def _task(task_id: str) -> Task:
    async with store().glance() as view:
        task = await view.task(task_id)
    check_task(task_id, task.identity)
    return task


def _position(state: Any, task: Task) -> int:
    """Return the seq that a client's state has for this very task; 0 if it has none."""
    known = state.get("signalbox") if isinstance(state, dict) else None
    if not isinstance(known, dict) or known.get("identity") != task.identity:
        return 0
    seq = known.get("seq")
    return seq if isinstance(seq, int) and not isinstance(seq, bool) and seq >= 0 else 0


async def _answer(task_id: str, run_id: str, entry: ResumeEntry) -> Event:
    """Answer a permission request. The same entry of the same run, sent again, answers once."""
    async with store().read() as view:
        permission = await view.permission(task_id, entry.interrupt_id)
    if permission is None:
        raise UnknownPermission(entry.interrupt_id)
    given = {"approved": False, "reason": "cancelled"} if entry.status == "cancelled" else entry.payload
    if isinstance(given, bool):
        given = {"approved": given}
    if not isinstance(given, dict) or not isinstance(given.get("approved"), bool):
        raise BadRequest('payload must be {"approved": true} or {"approved": false}', "resume.payload")
    reason = given.get("reason")
    if reason is not None and not isinstance(reason, str):
        raise BadRequest("reason must be a text", "resume.payload.reason")
    return await answer_permission(
        task_id,
        permission,
        given["approved"],
        checked_reason(reason),
        value=given.get("value", msgspec.UNSET) if given["approved"] else msgspec.UNSET,
        always=given.get("always") is True and given["approved"],
        key=f"signalbox:agui:{run_id}:{permission.seq}",
    )


def _title(messages: list[Any]) -> str | None:
    """Return the text of the last message of the user, as the title of a new run."""
    texts = [one.get("content") for one in messages if isinstance(one, dict) and one.get("role") == "user"]
    text = texts[-1] if texts else None
    line = " ".join(text.split()) if isinstance(text, str) else ""
    return "".join(char for char in line if char.isprintable())[:MAX_TITLE_CHARS] or None

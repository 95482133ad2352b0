"""`/api/wait`: waits until runs end, ask for permission, or have new events, without a stream."""

from __future__ import annotations

import time
from typing import Annotated, Literal

import msgspec
from msgspec import Meta
from quart import Blueprint

from signalbox.store import InvalidEvent, Reading, TaskReplaced, UnknownTask
from signalbox.store.identity import Reference, TaskReference, check_identity, parse_reference
from signalbox.store.state import Task
from signalbox.webapp.api.parameters import Seq
from signalbox.webapp.api.tasks import TaskResponse, to_response
from signalbox.webapp.auth.access import needs
from signalbox.webapp.auth.guard import check_again, require, ticket
from signalbox.webapp.current import hub, store
from signalbox.webapp.http.bad_request import BadRequest
from signalbox.webapp.http.endpoint import endpoint
from signalbox.webapp.http.refusals import TooManyStreams

blueprint = Blueprint("api_waiting", __name__, url_prefix="/api")

MAX_TASKS = 20
LOOK_S = 5.0
"""Seconds after which the tasks are read again without a wake, so that a lost wake only delays the response."""

Until = Literal["end", "permission", "event"]


class WaitParameters(msgspec.Struct, frozen=True, kw_only=True):
    """Which tasks to wait for, for what, and how long."""

    task: Annotated[
        tuple[TaskReference, ...],
        Meta(
            description="A task, as `ID` or `ID@IDENTITY`; may be repeated. Without one there is no wait.",
            extra_json_schema={"maxItems": MAX_TASKS},
        ),
    ] = ()
    until: Annotated[
        Until,
        Meta(
            description="end: the run has ended; permission: it asks for permission; event: it has an event that is no"
            " heartbeat. The end of a run always counts."
        ),
    ] = "end"
    all: Annotated[bool, Meta(description="1: wait for all tasks; by default one of them is enough.")] = False
    since_event_id: Annotated[
        Seq | None,
        Meta(description="For `event`: only events after this event_id, by default only those after the request."),
    ] = None
    timeout: Annotated[float, Meta(ge=0, le=60, description="The maximum time to wait, in seconds.")] = 25


class WaitResult(msgspec.Struct, kw_only=True):
    """The tasks after the wait. `reached` are the ids of those for which the condition holds.

    `next_event_id` is the `since_event_id` of the next wait.
    """

    tasks: list[TaskResponse]
    reached: list[str]
    timed_out: bool
    next_event_id: int


@blueprint.get("/wait")
@needs("read")
@endpoint(
    "Wait until runs end, ask for permission, or have new events.",
    raises=(InvalidEvent, TooManyStreams, UnknownTask, TaskReplaced),
)
async def wait(query: WaitParameters) -> WaitResult:
    """The response comes as soon as the condition holds, or after `timeout` seconds.

    Without a task it comes at once, and has the position for the first wait.
    """
    references = list(dict.fromkeys(parse_reference(text) for text in query.task))
    if len(references) > MAX_TASKS:
        raise BadRequest(f"task may be given at most {MAX_TASKS} times, not {len(references)}", "task")
    wanted = len(references) if query.all else min(1, len(references))
    deadline = time.monotonic() + query.timeout
    since, had_event = query.since_event_id, set[str]()
    with hub().waiting(ticket(), [one.task_id for one in references]) as waiting:
        while True:
            for one in references:
                await require("read", one.task_id)
            async with store().read() as view:
                tasks = [await _task(view, one) for one in references]
                newest = await view.latest_event_id()
                if query.until == "event" and since is not None:
                    had_event |= {task.task_id for task in tasks if await _has_event(view, task, since)}
            since = newest
            reached = [task.task_id for task in tasks if _holds(task, query.until) or task.task_id in had_event]
            left = deadline - time.monotonic()
            if len(reached) >= wanted or left <= 0 or waiting.closed:
                break
            await waiting.next(min(left, LOOK_S))
            await check_again()
    return WaitResult(
        tasks=list(map(to_response, tasks)),
        reached=reached,
        timed_out=len(reached) < wanted,
        next_event_id=newest,
    )


def _holds(task: Task, until: Until) -> bool:
    return task.ended or (until == "permission" and task.permissions_open > 0)


async def _task(view: Reading, one: Reference) -> Task:
    task = await view.task(one.task_id)
    check_identity(one.task_id, one.identity, task.identity)
    return task


async def _has_event(view: Reading, task: Task, since: int) -> bool:
    """Return whether a task has an event after `since` that is no heartbeat. A log of any length costs the same."""
    newest = await view.brief().rows_before(task.task_id, task.latest_seq + 1, 1)
    return bool(newest) and newest[0].event_id > since

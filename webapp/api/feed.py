"""`/sse/events`: streams the events of many tasks on one connection.

The id of a message is the event's `event_id`, which grows in commit order over all tasks. One number is therefore the
cursor for all tasks.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Annotated

import structlog
from msgspec import Meta
from quart import Blueprint, Response

from signalbox.store import Event, InvalidEvent, Reading, Store, StoreDamaged, TaskReplaced, UnknownTask
from signalbox.store.contract import Standing
from signalbox.store.identity import TaskReference, check_identity, parse_reference
from signalbox.webapp.api.parameters import LastEventId, Seq
from signalbox.webapp.auth.access import needs
from signalbox.webapp.auth.guard import require, visible_projects
from signalbox.webapp.auth.principal import ProjectIds
from signalbox.webapp.current import hub, store
from signalbox.webapp.http.bad_request import BadRequest
from signalbox.webapp.http.endpoint import EVENT_STREAM, endpoint
from signalbox.webapp.http.refusals import TooManyStreams
from signalbox.webapp.live import sse
from signalbox.webapp.live.chunk import Chunk, next_events
from signalbox.webapp.live.control_messages import JSON
from signalbox.webapp.live.renderer import Renderer
from signalbox.webapp.live.stream import message_stream, subscribe

logger = structlog.get_logger("signalbox.feed")

blueprint = Blueprint("feed", __name__, url_prefix="/sse")

MAX_TASKS = 500


class FeedParameters(LastEventId, frozen=True, kw_only=True):
    """Which tasks to follow, and from where. Without `task`, all tasks are followed, including new ones."""

    task: Annotated[
        tuple[TaskReference, ...],
        Meta(
            description="A task, as `ID` or `ID@IDENTITY`; may be repeated. All tasks if none is named.",
            extra_json_schema={"maxItems": MAX_TASKS},
        ),
    ] = ()
    since_event_id: Annotated[
        Seq | None, Meta(description="The event_id after which to start, exclusive.", extra_json_schema={"default": 0})
    ] = None
    tail: Annotated[
        str | None, Meta(description="With any value: start at the end, unless another parameter says where.")
    ] = None


@blueprint.get("/events")
@needs("read", query_token=True)
@endpoint(
    "Follow the events of many tasks on one connection.",
    media_type=EVENT_STREAM,
    raises=(InvalidEvent, TooManyStreams, UnknownTask, TaskReplaced),
)
async def events(query: FeedParameters) -> Response:
    """The `data` of each message is an Event, and its `id` is the `event_id`."""
    named = {parse_reference(text) for text in query.task}
    tasks = tuple(sorted({reference.task_id for reference in named}))
    if len(tasks) > MAX_TASKS:
        raise BadRequest(f"task may be given at most {MAX_TASKS} times, not {len(tasks)}", "task")
    tasks = await _without_damaged(tasks, partial(require, "read"))
    async with store().read() as view:
        newest, standings = await view.latest_event_id(), await view.standings(tasks)
    tasks = await _without_damaged(tasks, partial(_check_standing, standings))
    for task_id, meant in named:
        if task_id in tasks:
            check_identity(task_id, meant, standings[task_id].identity)
    identities = tuple(standings[task_id].identity for task_id in tasks)
    start = newest if query.tail is not None else 0
    cursor = next((one for one in (query.last_id, query.since_event_id) if one is not None), start)
    if cursor > newest:
        return message_stream(sse.reset({"latest_event_id": newest}))
    projects = visible_projects()
    renderer, key = feed(store(), tasks, projects, identities), ("feed", tasks, projects, identities)
    return subscribe(hub(), lambda lanes: lanes.board_lane(key, renderer, control_messages=JSON), cursor)


async def _without_damaged(tasks: tuple[str, ...], check: Callable[[str], Awaitable[None]]) -> tuple[str, ...]:
    """Return the tasks without those whose check raises StoreDamaged. Raises it if none is left.

    A request without tasks asks for all of them, so an empty result must not stand for "all are damaged".
    """
    kept, damage = [], None
    for task_id in tasks:
        try:
            await check(task_id)
            kept.append(task_id)
        except StoreDamaged as error:
            logger.error("a feed leaves out a task in a damaged part of the store", task_id=task_id, error=str(error))
            damage = error
    if damage is not None and not kept:
        raise damage
    return tuple(kept)


async def _check_standing(standings: dict[str, Standing], task_id: str) -> None:
    """Raise UnknownTask if there is no such task, or StoreDamaged if its standing cannot be read."""
    if task_id not in standings:
        async with store().read() as view:
            await view.head(task_id)
        raise UnknownTask(task_id)


def feed(
    source: Store, tasks: tuple[str, ...], projects: ProjectIds = None, identities: tuple[str, ...] = ()
) -> Renderer:
    """Return a renderer of the events of `tasks`, or of all tasks in `projects` if `tasks` is empty.

    `identities` has the identity of each of `tasks`, in the same order. The renderer raises UnknownTask once another
    task uses one of the ids. A deleted task has no further events.
    """

    async def render(cursor: int) -> Chunk | None:
        async with source.read() as view:
            newest = await view.latest_event_id()
            if identities:
                await _check_identities(view, tasks, identities)
            events, more = await next_events(
                lambda last, n: view.events_after(last.event_id if last else cursor, n, tasks, projects)
            )
        reached = events[-1].event_id if more else newest
        if reached <= cursor:
            return None
        return Chunk(b"".join(map(message, events)), reached, len(events), more=more)

    return render


async def _check_identities(view: Reading, tasks: tuple[str, ...], identities: tuple[str, ...]) -> None:
    standings = await view.standings(tasks)
    for task_id, identity in zip(tasks, identities, strict=True):
        if task_id in standings:
            check_identity(task_id, identity, standings[task_id].identity)


def message(event: Event) -> bytes:
    """Encode an event as a message of this stream."""
    return sse.json_message(event.event_id, event)

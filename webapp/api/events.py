"""`/api/tasks/{id}/events`: reads and appends to the log of one task."""

from __future__ import annotations

import asyncio
from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, UnsetType
from quart import Blueprint

from signalbox.store import Conflict, Event, InvalidEvent, LogQuery, NewEvent, UnknownTask
from signalbox.store.bounded_reads import payload_bytes
from signalbox.store.events import check_event, check_key
from signalbox.store.state import Span, Unfinished
from signalbox.webapp.api.bounds import bounded_events, within_bytes
from signalbox.webapp.api.parameters import LIMIT_DESCRIPTION, Identity, IdentityParameter, Seq, SinceSeq
from signalbox.webapp.auth.access import needs, public
from signalbox.webapp.auth.guard import creates_task, may_write_to, project_for_new, require, task_identity
from signalbox.webapp.auth.quota_guard import count_events
from signalbox.webapp.current import redaction_on_write, store
from signalbox.webapp.http.endpoint import Result, endpoint
from signalbox.webapp.http.health import HealthReport, health_result, problems, store_problem
from signalbox.webapp.http.root_path import next_page
from signalbox.webapp.views.log_query import LogFilters, log_filters, log_query

blueprint = Blueprint("api_events", __name__, url_prefix="/api")


MAX_EVENTS = 10_000
"""Maximum events of one request. They are one transaction, for which other writers wait."""

NewEvents = Annotated[list[NewEvent], Meta(max_length=MAX_EVENTS)]


class LogParameters(LogFilters, frozen=True, kw_only=True):
    """Which events to read."""

    since_seq: SinceSeq = 0
    limit: Annotated[int, Meta(ge=1, le=1000, description=LIMIT_DESCRIPTION)] = 100
    identity: Identity = None


class LogPage(msgspec.Struct, kw_only=True):
    """Events in the order of the log. With a filter, `matching` is the number of events in the log that pass it."""

    events: list[Event]
    total: int
    matching: int | UnsetType = UNSET
    has_more: bool
    next_seq: int


class PhaseParameters(msgspec.Struct, frozen=True, kw_only=True):
    """Which events of a phase to read."""

    since_seq: SinceSeq = 0
    limit: Annotated[int, Meta(ge=1, le=1000, description=LIMIT_DESCRIPTION)] = 100


class LatestParameters(msgspec.Struct, frozen=True, kw_only=True):
    """How many of the newest events to read."""

    before: Annotated[Seq | None, Meta(description="Only events before this seq.")] = None
    limit: Annotated[int, Meta(ge=1, le=500, description=LIMIT_DESCRIPTION)] = 50


class SnapshotParameters(msgspec.Struct, frozen=True, kw_only=True):
    """How many of the newest events a snapshot contains."""

    limit: Annotated[int, Meta(ge=1, le=500, description="How many events at most.")] = 100


class Snapshot(msgspec.Struct, kw_only=True):
    """A task at its `latest_seq`.

    `events` are the newest events in the order of the log. If `has_more` is true, `/events/latest?before=` with
    `next_before` returns older ones. `active_spans` and `open_spans` are the first 1,000 open spans of
    `open_spans_total`.
    """

    task_id: str
    events: list[Event]
    total_events: int
    latest_seq: int
    has_more: bool
    next_before: int | None
    current_phase: str | None
    active_spans: list[str]
    open_spans: list[Span]
    open_spans_total: int
    unfinished: list[Unfinished]


@blueprint.get("/tasks/<task_id>/events")
@needs("read")
@endpoint("Read the log of a task from a seq on.")
async def index(task_id: str, query: LogParameters) -> LogPage:
    filters = log_query(query)
    if log_filters(filters):
        return await _search(task_id, filters, query.since_seq, query.limit)
    async with store().read() as view:
        task = await view.task(task_id)
        events = await bounded_events(
            lambda seq, n: view.events(task_id, query.since_seq if seq is None else seq, n), query.limit
        )
    last = events[-1].seq if events else query.since_seq
    return LogPage(events=events, total=task.latest_seq, has_more=last < task.latest_seq, next_seq=last)


async def _search(task_id: str, query: LogQuery, since: int, limit: int) -> LogPage:
    """Return the events that pass the filters. On the last page `next_seq` is the end of the log, to continue from."""
    async with store().read() as view:
        task = await view.task(task_id)
        hits = await view.search(task_id, query, since, limit)
    shown = within_bytes(hits.events, payload_bytes)
    more = hits.more or len(shown) < len(hits.events)
    return LogPage(
        events=shown,
        total=task.latest_seq,
        matching=hits.total,
        has_more=more,
        next_seq=shown[-1].seq if more else max(since, task.latest_seq),
    )


@blueprint.post("/tasks/<task_id>/events")
@needs("emit", may_create=True)
@endpoint("Append one event or a list, all or nothing.", status=201, raises=(InvalidEvent, Conflict, UnknownTask))
async def append(task_id: str, query: IdentityParameter, body: NewEvent | NewEvents) -> Event | list[Event]:
    """A task that does not exist is created, unless the request names an `identity`."""
    identity = task_identity()
    events = body if isinstance(body, list) else [body]
    if creates_task():
        await asyncio.to_thread(_check, events)
        task, _ = await store().acreate_task(task_id, project_id=await project_for_new(None))
        await require("emit", task_id)
        identity = task.identity
    await may_write_to(task_id)
    count_events(len(events))
    if (hide := redaction_on_write()).active:
        # In a thread, because it looks at each value: a large request would stop the server meanwhile.
        events = await asyncio.to_thread(hide.events, events)
    stored = await store().aappend(task_id, events, identity=identity)
    return stored if isinstance(body, list) else stored[0]


def _check(events: list[NewEvent]) -> None:
    """Raise InvalidEvent for what the log would refuse, so that it leaves no empty task."""
    for event in events:
        check_key(event.key or "")
        check_event(event)


@blueprint.get("/tasks/<task_id>/events/latest")
@needs("read")
@endpoint("Read the newest events, newest first.", pages=True)
async def latest(task_id: str, query: LatestParameters) -> Result[list[Event]]:
    async with store().read() as view:
        await view.task(task_id)
        newest = await bounded_events(
            lambda seq, n: view.latest_events(task_id, n, query.before if seq is None else seq), query.limit
        )
    more = bool(newest) and newest[-1].seq > 1
    return Result(newest, next=next_page(before=newest[-1].seq, limit=query.limit) if more else None)


@blueprint.get("/tasks/<task_id>/events/snapshot")
@needs("read")
@endpoint("Read the state of a task with its newest events, in one consistent read.")
async def snapshot(task_id: str, query: SnapshotParameters) -> Snapshot:
    async with store().read() as view:
        task = await view.task(task_id)
        newest = await bounded_events(lambda seq, n: view.latest_events(task_id, n, seq), query.limit)
        spans = await view.open_spans(task_id)
        lines = await view.unfinished(task_id)
    more = bool(newest) and newest[-1].seq > 1
    return Snapshot(
        task_id=task_id,
        events=newest[::-1],
        total_events=task.latest_seq,
        latest_seq=task.latest_seq,
        has_more=more,
        next_before=newest[-1].seq if more else None,
        current_phase=task.phase,
        active_spans=[span.span_id for span in spans],
        open_spans=spans,
        open_spans_total=task.spans_open,
        unfinished=lines,
    )


@blueprint.get("/tasks/<task_id>/events/phase/<name:phase>", merge_slashes=False)
@needs("read")
@endpoint("Read the events of one phase.", pages=True)
async def of_phase(task_id: str, phase: str, query: PhaseParameters) -> Result[list[Event]]:
    async with store().read() as view:
        await view.task(task_id)
        events = await bounded_events(
            lambda seq, n: view.events_of_phase(task_id, phase, n, query.since_seq if seq is None else seq),
            query.limit,
        )
        more = bool(events and await view.events_of_phase(task_id, phase, 1, events[-1].seq))
    return Result(events, next=next_page(since_seq=events[-1].seq, limit=query.limit) if more else None)


@blueprint.get("/events/health")
@public
@endpoint("Whether the API answers and the store can be read.", also=(503,))
async def health() -> Result[HealthReport]:
    found = problems()
    if not found and (unreadable := await store_problem(store())):
        found = [unreadable]
    return health_result(HealthReport, "task_events_api", found)

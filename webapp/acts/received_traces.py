"""Stores the spans and log records that a program has sent in their tasks.

A span belongs to the run that it names or whose trace it continues (see `store.trace_context`), else to the task of its
trace. A log record belongs to the task of its trace, or without a trace to the task of its service instance.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from itertools import islice
from typing import Any, NamedTuple, TypeVar

from signalbox.store import InvalidEvent, NewEvent, UnknownTask
from signalbox.store.redaction.writes import WriteRedaction
from signalbox.store.traces import LogRecord, TraceSpan, events_of_span, log_event
from signalbox.webapp.acts.trace_tasks import TracePlace, TraceSource, TraceTasks
from signalbox.webapp.auth.quota_guard import count_events
from signalbox.webapp.current import redaction_on_write, store
from signalbox.webapp.otlp.received import Received

EVENTS_PER_APPEND = 500
"""Events of one append, so that the events of a large request do not delay other writers."""

ITEMS_AT_ONCE = 4000
"""Spans or records whose events are in memory at once. With more, a garbage collection would stop the server for long.
"""

CONCURRENT_TASKS = 8
"""Tasks of one request whose spans are stored at the same time."""

S = TypeVar("S")
T = TypeVar("T", TraceSpan, LogRecord)


class _Mapped(NamedTuple):
    """The events of one span or log record."""

    source: TraceSource
    events: list[NewEvent]


async def store_spans(received: Received) -> None:
    """Store the received spans, and reject those that the caller may not write. Raises Forbidden if that is all."""
    await _store(received, received.spans, events_of_span)


async def store_records(received: Received) -> None:
    """Store the received log records in the same way."""
    seen: dict[str | None, int] = {}

    def events_of(record: LogRecord) -> list[NewEvent]:
        # Records with equal contents and times within one request are different records.
        event = log_event(record)
        place = seen[event.key] = seen.get(event.key, -1) + 1
        return [log_event(record, place) if place else event]

    await _store(received, received.records, events_of)


async def _store(received: Received, items: Sequence[T], events_of: Callable[[T], list[NewEvent]]) -> None:
    tasks = TraceTasks()
    by_place: dict[TracePlace, list[_Mapped]] = {}
    mapped: dict[TraceSource, list[_Mapped]] = {}
    refusals: list[Exception] = []
    stored = False

    async def find(source: TraceSource) -> None:
        try:
            by_place.setdefault(await tasks.place_of(source), []).extend(mapped[source])
        except tasks.REFUSALS as error:
            refusals.append(error)
            received.reject(str(error), len(mapped[source]))

    async def append(place: TracePlace) -> None:
        await _append(received, tasks, place, by_place[place])

    for some in _chunks(sorted(items, key=_time_of), ITEMS_AT_ONCE):
        mapped = await asyncio.to_thread(_mapped, some, events_of, redaction_on_write())
        by_place.clear()
        await _for_each(mapped, find)
        stored = stored or bool(by_place)
        await _for_each(by_place, append)
    if refusals and not stored:
        raise refusals[0]


def _time_of(item: TraceSpan | LogRecord) -> int:
    if isinstance(item, TraceSpan):
        return item.ended_ns or item.started_ns
    return item.time_ns or item.observed_ns


async def _for_each(items: Iterable[S], do: Callable[[S], Awaitable[None]]) -> None:
    """Call `do` for each item, a few at a time, so that their writes share commits."""
    rest = iter(list(items))

    async def work() -> None:
        for item in rest:
            await do(item)

    # Not a TaskGroup, which raises a group of errors: the response depends on the type of the first error.
    results = await asyncio.gather(*(work() for _ in range(CONCURRENT_TASKS)), return_exceptions=True)
    for error in filter(None, results):
        raise error


async def _append(received: Received, tasks: TraceTasks, place: TracePlace, group: list[_Mapped]) -> None:
    """Append the events of one task in the order of their times."""
    events = [event for one in group for event in one.events]
    events.sort(key=lambda event: event.occurred_at or "")
    count_events(len(events))
    for chunk in _chunks(events, EVENTS_PER_APPEND):
        try:
            await store().aappend(place.task_id, chunk, identity=place.identity)
        except UnknownTask:
            # The task was deleted since it was found, or its id is used again.
            place = await tasks.place_of(group[0].source, fresh=True)
            await store().aappend(place.task_id, chunk, identity=place.identity)
        except InvalidEvent:
            await _append_singly(received, place, chunk)


async def _append_singly(received: Received, place: TracePlace, events: Iterable[NewEvent]) -> None:
    for event in events:
        try:
            await store().aappend(place.task_id, event, identity=place.identity)
        except InvalidEvent as error:
            received.reject(str(error))


def _mapped(
    items: Iterable[T], events_of: Callable[[T], list[NewEvent]], redaction: WriteRedaction
) -> dict[TraceSource, list[_Mapped]]:
    """Return the events of all items by their source. Runs in a thread, because there may be thousands of items."""
    found: dict[TraceSource, list[_Mapped]] = {}
    sources: dict[tuple[int, str, str], TraceSource] = {}
    resources: dict[int, bytes] = {}
    for item in items:
        state = item.trace_state if isinstance(item, TraceSpan) else ""
        key = (id(item.resource), item.trace_id, state)
        source = sources.get(key)
        if source is None:
            if key[0] not in resources:
                resources[key[0]] = TraceSource.encoded(item.resource)
            source = sources[key] = TraceSource(resources[key[0]], item.trace_id, state, "")
        if named := _named(item.attributes):
            source = source._replace(named=named)
        found.setdefault(source, []).append(_Mapped(source, redaction.events(events_of(item))))
    return found


def _named(attributes: Mapping[str, Any]) -> str:
    """Return the task that a span itself names, for example by its baggage, or an empty text."""
    named = attributes.get("signalbox.task")
    return named if isinstance(named, str) else ""


def _chunks(items: Iterable[S], size: int) -> Iterable[list[S]]:
    rest = iter(items)
    while chunk := list(islice(rest, size)):
        yield chunk

"""Traces for tests: trees of spans with all that a span can report, and the parts of a task that must not depend on
the order in which the spans arrive.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from signalbox.store import Event, NewEvent, Store
from signalbox.store.projections import apply
from signalbox.store.state import Span, Task, TaskState
from signalbox.store.traces import Scope, SpanEvent, SpanLink, TraceSpan, events_of_span

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
NOON = 1_763_640_000_000_000_000
"""Nanoseconds since 1970, long before the tests run."""

MS = 1_000_000


def span_id(number: int) -> str:
    """Return the id of a span."""
    return f"{number:016x}"


def make_trace(spans: int, seed: int = 0, trace_id: str = TRACE) -> list[TraceSpan]:
    """Return a trace of two services in the order in which its spans end, with model calls, tools and errors."""
    chance = random.Random(seed)
    start = [NOON]
    end = [NOON + 600_000 * MS]
    parents: list[int | None] = [None]
    for number in range(1, spans):
        parent = chance.randrange(number)
        parents.append(parent)
        start.append(start[parent] + number * 1000)
        end.append(max(start[-1] + 1000, end[parent] - number * 1000))
    found = [_span(number, parents[number], start[number], end[number], chance, trace_id) for number in range(spans)]
    return sorted(found, key=lambda span: (span.ended_ns, span.span_id))


def _span(number: int, parent: int | None, start: int, end: int, chance: random.Random, trace_id: str) -> TraceSpan:
    attributes: dict[str, Any] = {"n": number}
    events: list[SpanEvent] = []
    name, failed = f"step {number}", number > 0 and number % 17 == 0
    if number % 5 == 4:
        name = "chat m"
        attributes |= {
            "gen_ai.operation.name": "chat",
            "gen_ai.request.model": "m",
            "gen_ai.usage.input_tokens": chance.randrange(1, 100),
            "gen_ai.usage.output_tokens": chance.randrange(1, 100),
        }
        if number % 2:
            attributes["gen_ai.usage.cost"] = chance.randrange(1, 10**9) / 10**9
    elif number % 7 == 6:
        attributes |= {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "search"}
    elif number % 11 == 10:
        attributes |= {"gen_ai.operation.name": "invoke_agent", "gen_ai.usage.input_tokens": 5000}
    if failed:
        events.append(
            SpanEvent(
                name="exception",
                time_ns=start + 500,
                attributes={"exception.type": "ValueError", "exception.message": f"bad {number}"},
            )
        )
    return TraceSpan(
        trace_id=trace_id,
        span_id=span_id(number + 1),
        parent_span_id=None if parent is None else span_id(parent + 1),
        name="nightly audit" if number == 0 else name,
        kind="server" if number % 2 else "client",
        started_ns=start,
        ended_ns=end,
        status="error" if failed else "unset",
        attributes=attributes,
        events=tuple(events),
        links=(SpanLink(trace_id="0af7651916cd43dd8448eb211c80319c", span_id="b7ad6b7169203331"),) if failed else (),
        resource={"service.name": "shop" if number % 3 == 0 else "warehouse"},
        scope=Scope("tests", "1"),
    )


def shape(task: Task, spans: Sequence[Span]) -> dict[str, Any]:
    """Return all that pages show of a trace and that must not depend on the order of arrival."""
    return {
        "task": (task.title, task.kind, task.status, task.started_at, task.ended_at, task.error, task.usage),
        "spans": {
            span.span_id: (
                span.parent_span_id,
                span.kind,
                span.name,
                span.work_type,
                span.state,
                span.started_at,
                span.ended_at,
                span.error,
                span.model,
                span.usage,
            )
            for span in spans
        },
        "counts": (task.spans_total, task.spans_open),
    }


async def stored_shape(store: Store, task_id: str) -> dict[str, Any]:
    """Return the shape of a stored task."""
    async with store.read() as view:
        return shape(await view.task(task_id), await view.spans(task_id))


def fold_spans(spans: Iterable[TraceSpan]) -> TaskState:
    """Fold the events of spans into the state of a new task."""
    return fold_events(empty_state(), [event for span in spans for event in events_of_span(span)])


def empty_state() -> TaskState:
    """Return the state of a new task."""
    at = "2026-11-27T12:00:00.000000Z"
    return TaskState(task=Task(task_id="t", created_at=at, updated_at=at, main_span_id="main"))


def fold_events(state: TaskState, events: Iterable[NewEvent]) -> TaskState:
    """Fold new events into a state, as an append does."""
    for draft in events:
        seq = state.task.latest_seq + 1
        event = Event(
            event_id=seq,
            task_id=state.task.task_id,
            seq=seq,
            event_type=draft.event_type,
            phase=None,
            actor=draft.actor,
            span_id=draft.span_id or state.task.main_span_id,
            parent_span_id=draft.parent_span_id,
            payload_json=msgspec.Raw(msgspec.json.encode(draft.payload)),
            created_at=state.task.created_at,
            key=draft.key,
            occurred_at=draft.occurred_at or msgspec.UNSET,
        )
        apply(state, event)
    return state

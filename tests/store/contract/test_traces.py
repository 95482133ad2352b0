"""Test that every store gives the same task for the spans of a trace, in any order of arrival."""

from __future__ import annotations

import random
from collections.abc import Sequence

import msgspec

from signalbox.store import NewEvent, Store
from signalbox.store.history import History
from signalbox.store.traces import TraceSpan, end_events, start_event
from tests.support.traces import make_trace, shape, stored_shape

COMPLETE = NewEvent(event_type="trace_complete", actor="supervisor", payload={"quiet": 10})


def append(store: Store, task_id: str, spans: Sequence[TraceSpan], chunk: int = 100) -> None:
    for first in range(0, len(spans), chunk):
        store.append(task_id, [event for span in spans[first : first + chunk] for event in end_events(span)])


def complete(store: Store, task_id: str, root: str) -> None:
    store.append(task_id, msgspec.structs.replace(COMPLETE, span_id=root))


async def test_spans_in_any_order_and_twice_give_the_same_task(store: Store) -> None:
    spans = make_trace(400)
    root = next(span.span_id for span in spans if span.parent_span_id is None)
    append(store, "in-order", spans)
    complete(store, "in-order", root)
    shuffled = [*spans, *spans]
    random.Random(1).shuffle(shuffled)
    append(store, "shuffled", shuffled, 37)
    complete(store, "shuffled", root)
    expected = await stored_shape(store, "in-order")
    assert await stored_shape(store, "shuffled") == expected
    assert expected["task"][:3] == ("nightly audit", "shop", "done")
    assert expected["counts"] == (400, 0)
    async with store.read() as view:
        assert (await view.task("shuffled")).latest_seq == (await view.task("in-order")).latest_seq
        folded = await History().state_at(view, "shuffled", 10**9)
    assert shape(folded.task, list(folded.spans.values())) == expected


async def test_starts_that_arrive_before_between_and_after_the_ends_change_nothing(store: Store) -> None:
    spans = make_trace(120, seed=3)
    append(store, "ends", spans)
    events = [start_event(span) for span in spans] + [event for span in spans for event in end_events(span)]
    random.Random(2).shuffle(events)
    for first in range(0, len(events), 25):
        store.append("both", events[first : first + 25])
    assert await stored_shape(store, "both") == await stored_shape(store, "ends")


async def test_a_start_that_is_no_time_is_that_of_the_event(store: Store) -> None:
    for number, given in enumerate(("2016-99-99T99:99:99.999999Z", "٢٠١٦-01-01T00:00:00.000000Z", "soon", 7)):
        span_id = f"span-{number}"
        (event,) = store.append("run", NewEvent(event_type="span_end", span_id=span_id, payload={"started_at": given}))
        async with store.read() as view:
            span = await view.span("run", span_id)
        assert span is not None
        assert span.started_at == event.created_at


async def test_a_root_span_is_the_same_whichever_events_come_with_it(store: Store) -> None:
    store.append("run", NewEvent(event_type="runner_spawn", span_id="main", phase="one"))
    store.append("run", NewEvent(event_type="phase_enter", span_id="two", phase="two"))
    store.append("run", NewEvent(event_type="span_end", span_id="root", payload={"name": "query"}))
    async with store.read() as view:
        folded = await History().state_at(view, "run", 10**9)
        assert await view.span("run", "root") == folded.spans["root"]

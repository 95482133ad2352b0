"""Test that the order in which the spans of a trace arrive does not change what is folded from them."""

from __future__ import annotations

import itertools
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from signalbox.store.state import TaskState
from signalbox.store.traces import TraceSpan, end_events, start_event
from tests.support.examples import examples
from tests.support.traces import NOON, TRACE, empty_state, fold_events, fold_spans, make_trace, shape, span_id


def shape_of(state: TaskState) -> dict[str, object]:
    return shape(state.task, list(state.spans.values()))


@pytest.mark.parametrize("order", list(itertools.permutations(range(4))))
def test_a_span_that_sums_up_the_calls_below_it_counts_once_in_any_order(order: tuple[int, ...]) -> None:
    def usage(tokens: int) -> dict[str, object]:
        return {"gen_ai.operation.name": "chat", "gen_ai.usage.input_tokens": tokens}

    def span(number: int, parent: int | None, tokens: int) -> TraceSpan:
        above = None if parent is None else span_id(parent)
        attributes = usage(tokens) if tokens else {}
        return TraceSpan(
            trace_id=TRACE, span_id=span_id(number), parent_span_id=above, ended_ns=NOON, attributes=attributes
        )

    spans = [span(1, None, 0), span(2, 1, 30), span(3, 2, 10), span(4, 2, 20)]
    state = fold_spans([spans[place] for place in order])
    assert state.task.usage is not None
    assert state.task.usage.tokens.total == 30
    assert [state.spans[span_id(n)].usage.tokens.total for n in (1, 2, 3, 4)] == [30, 30, 10, 20]  # type: ignore[union-attr]


@pytest.mark.examples
@settings(max_examples=examples(40))
@given(
    size=st.integers(1, 14),
    seed=st.integers(0, 10**6),
    missing=st.sets(st.integers(0, 13), max_size=4),
    order=st.randoms(use_true_random=False),
)
def test_every_order_of_starts_and_ends_gives_the_same_task(
    size: int, seed: int, missing: set[int], order: random.Random
) -> None:
    """Some spans never arrive, and some are still running."""
    spans = [span for place, span in enumerate(make_trace(size, seed)) if place not in missing]
    running = {span.span_id for span in spans if order.random() < 0.2}
    ends = [event for span in spans if span.span_id not in running for event in end_events(span)]
    starts = [start_event(span) for span in spans if span.span_id in running or order.random() < 0.5]
    events = [*starts, *ends]
    expected = shape_of(fold_events(empty_state(), [start_event(s) for s in spans if s.span_id in running] + ends))
    order.shuffle(events)
    assert shape_of(fold_events(empty_state(), events)) == expected

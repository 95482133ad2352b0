"""Test that appending spans costs the same in a small tree and in a deep or wide one."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from unittest import mock

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from signalbox.store import NewEvent, open_store
from signalbox.store.projections import fold, usage
from signalbox.store.sql import spans_above
from signalbox.store.sqlite import SqliteStore
from signalbox.store.state import Span
from tests.support.sqlite_work import Work

GROUP = 100
SMALL, LARGE = 5, 20
"""Groups of spans in the trees that are compared."""

Parent = Callable[[int], int | None]


def chain(number: int) -> int | None:
    return number - 1 if number else None


def wide(number: int) -> int | None:
    return 0 if number else None


def model_call(number: int, parent: int | None) -> NewEvent:
    return NewEvent(
        event_type="span_end",
        span_id=f"s{number}",
        parent_span_id=None if parent is None else f"s{parent}",
        payload={"name": f"call {number}", "model": "small-1", "usage": {"input_tokens": 1}},
    )


def work_item(number: int, parent: int | None) -> NewEvent:
    return NewEvent(
        event_type="work_item_start",
        span_id=f"s{number}",
        parent_span_id=None if parent is None else f"s{parent}",
        payload={"name": f"item {number}", "work_type": "llm" if number % 2 else "tool"},
    )


@pytest.mark.long
@pytest.mark.parametrize("event", [model_call, work_item])
@pytest.mark.parametrize("parent", [chain, wide])
@pytest.mark.parametrize("order", ["parents first", "children first"])
def test_the_work_of_an_append_does_not_grow_with_the_tree(
    event: Callable[[int, int | None], NewEvent], parent: Parent, order: str, tmp_path: Path
) -> None:
    events = [event(number, parent(number)) for number in range(GROUP * LARGE)]
    if order == "children first":
        events.reverse()
    work: list[int] = []
    with Work.counted() as counter:
        store = open_store(f"sqlite:///{tmp_path / 'log.db'}")
        for at in range(0, len(events), GROUP):
            with counter.since(work):
                store.append("run", events[at : at + GROUP])
        store.close()
    assert max(work[-3:]) < 1.3 * max(work[SMALL - 3 : SMALL]), work


@pytest.mark.long
def test_the_work_of_the_end_of_a_run_does_not_grow_with_the_spans_that_have_ended(tmp_path: Path) -> None:
    work: list[int] = []
    with Work.counted() as counter:
        store = open_store(f"sqlite:///{tmp_path / 'log.db'}")
        for size in (SMALL, LARGE):
            run = f"run-{size}"
            store.append(run, [model_call(number, wide(number)) for number in range(GROUP * size)])
            with counter.since(work):
                store.append(run, NewEvent(event_type="status", payload={"status": "waiting"}))
                store.append(run, NewEvent(event_type="runner_exit", payload={"exit_code": 1}))
        store.close()
    assert work[1] < 1.3 * work[0] + 3, work


shuffled = st.randoms(use_true_random=False)


@pytest.mark.long
@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(size=st.integers(1, 12), order=shuffled, group=st.integers(1, 8))
async def test_usage_is_summed_up_the_tree_whatever_the_order(
    size: int, order: random.Random, group: int, store: SqliteStore
) -> None:
    """Parents are random: also cycles, and parents that never arrive."""
    events: list[NewEvent] = []
    for number in range(size):
        parent = order.choice([None, *(other for other in range(size + 1) if other != number)])
        kind = order.choice([model_call, model_call, work_item])
        events += [kind(number, parent), *([work_item(number, None)] if order.random() < 0.3 else [])]
    order.shuffle(events)
    start, _ = store.create_task()
    with mock.patch.object(usage, "MAX_LEVELS", 3), mock.patch.object(spans_above, "LEVELS_PER_READ", 2):
        for at in range(0, len(events), group):
            store.append(start.task_id, events[at : at + group])
        async with store.read() as view:
            spans: dict[str, Span] = {span.span_id: span for span in await view.spans(start.task_id)}
            folded = fold(start, await view.events(start.task_id, 0, 1000))
            assert (await view.task(start.task_id)).usage == folded.task.usage
    assert spans == folded.spans

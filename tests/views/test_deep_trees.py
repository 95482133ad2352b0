"""Test that pages of spans cost what they show, whatever the depth and the number of the spans."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from signalbox.store import NewEvent, TaskReading, open_store
from signalbox.store.state import Span, Task
from signalbox.webapp.views import span_times
from signalbox.webapp.views.conversation.reading import conversation_view
from signalbox.webapp.views.critical_path import critical_path
from signalbox.webapp.views.flame import frames_of, levels
from signalbox.webapp.views.log import log_rows
from signalbox.webapp.views.span import ancestors
from signalbox.webapp.views.span_depths import span_depths
from signalbox.webapp.views.span_times import SpanForest
from signalbox.webapp.views.spans import spans_view
from signalbox.webapp.views.task import task_view
from signalbox.webapp.views.waterfall import MAX_CONTEXT, waterfall_view
from signalbox.webapp.views.waterfall_query import WaterfallQuery
from signalbox.webapp.views.waterfall_rows import context_of, rows_of
from tests.support.sqlite_work import Work

SMALL, LARGE = 1200, 4800

Parent = Callable[[int], int]
SHAPES: dict[str, Parent] = {
    "chain": lambda number: number - 1,
    "wide": lambda number: 0,
    "comb": lambda number: number - 1 if number % 2 else max(0, number - 2),
    "binary": lambda number: (number - 1) // 2,
}
Page = Callable[[TaskReading, int], Coroutine[Any, Any, object]]


async def span_depths_page(view: TaskReading, size: int) -> object:
    task = await view.task("run")
    rows, _ = await log_rows(view, task, 0, 200)
    return await span_depths(view, task, rows)


async def ancestors_page(view: TaskReading, size: int) -> object:
    span = await view.span("run", f"s{size - 1}")
    assert span is not None
    return await ancestors(view, span, "run")


PAGES: dict[str, Page] = {
    "task page": lambda view, size: task_view(view, "run"),
    "a frame of the task page": lambda view, size: task_view(view, "run", since=2),
    "the parents of the deepest span": ancestors_page,
    "a span in the middle": lambda view, size: view.span_children("run", f"s{size // 2}", 201),
    "the first span": lambda view, size: view.span_children("run", "s0", 201),
    "spans below": lambda view, size: view.span_descendants("run", f"s{size // 2}", 10, 200),
    "rows of the log": span_depths_page,
    "conversation": lambda view, size: conversation_view(view, "run"),
    "first difference of two runs": lambda view, size: view.spans_closed_at("run", size, 20),
    "waterfall": lambda view, size: waterfall_view(view, "run"),
    "table": lambda view, size: spans_view(view, "run"),
}


def tree(shape: str, size: int, *, ended: bool) -> list[NewEvent]:
    """Return the events of a tree, of which every tenth span is a model call."""
    events = [NewEvent(event_type="runner_spawn", span_id="s0")]
    for number in range(1, size):
        payload = {"name": f"item {number}", **({"model": "m", "work_type": "llm"} if number % 10 == 0 else {})}
        parent = f"s{SHAPES[shape](number)}"
        events.append(
            NewEvent(event_type="work_item_start", span_id=f"s{number}", parent_span_id=parent, payload=payload)
        )
    if ended:
        # In the order of their start, so that a span ends before those below it.
        events += [NewEvent(event_type="work_item_complete", span_id=f"s{number}") for number in range(1, size)]
    return events


@pytest.mark.long
@pytest.mark.parametrize(("shape", "ended"), [("chain", False), ("chain", True), ("wide", False), ("wide", True)])
async def test_the_work_of_a_page_does_not_grow_with_the_tree(
    shape: str, ended: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(span_times, "MAX_SPANS", 200)
    work: dict[str, list[int]] = {name: [] for name in PAGES}
    for size in (SMALL, LARGE):
        with Work.counted() as counter:
            store = open_store(f"sqlite:///{tmp_path / f'{size}.db'}")
            events = tree(shape, size, ended=ended)
            for at in range(0, len(events), 400):
                store.append("run", events[at : at + 400])
            async with store.read() as view:
                for name, page in PAGES.items():
                    with counter.since(work[name]):
                        await page(view, size)
            await store.aclose()
    grown = {name: units for name, units in work.items() if units[1] > 1.3 * units[0] + 3}
    assert not grown, work


def forest(parents: list[int | None]) -> SpanForest:
    spans = [
        Span(
            span_id=f"s{number}",
            parent_span_id=None if parent is None else f"s{parent}",
            kind="work_item",
            name=f"item {number}" if number % 7 else "step",
            phase=None,
            state="done",
            started_seq=number + 1,
            started_at=f"2026-11-21T14:{number // 60:02}:{number % 60:02}.000000Z",
            ended_seq=10_000 - number,
            ended_at=f"2026-11-21T15:{(2000 - number) // 60:02}:{(2000 - number) % 60:02}.000000Z",
            changed_seq=number,
        )
        for number, parent in enumerate(parents)
    ]
    return SpanForest(
        Task(task_id="t", created_at="", updated_at="2026-11-21T15:59:59.000000Z", main_span_id="m"), spans
    )


@contextmanager
def counted_lines() -> Iterator[list[int]]:
    """Count the lines of Python that run in this context."""
    lines, before = [0], sys.gettrace()

    def trace(frame: FrameType, event: str, argument: object) -> Any:
        lines[0] += event == "line"
        return trace

    sys.settrace(trace)
    try:
        yield lines
    finally:
        sys.settrace(before)


def read_everything(parents: list[int | None]) -> None:
    found = forest(parents)
    critical = critical_path(found.roots)
    for query in (WaterfallQuery(), WaterfallQuery(critical="only"), WaterfallQuery(slowest=10), WaterfallQuery(q="9")):
        rows = rows_of(found, query, critical)
        context_of(rows, len(rows) - 1, MAX_CONTEXT)
    root, frames = frames_of(found)
    for frame in (root, *frames.values()):
        levels(frame, 0)
        assert len(frame.chain) <= 20


@pytest.mark.parametrize("shape", SHAPES)
def test_the_views_of_a_tree_take_time_in_proportion_to_its_size(shape: str) -> None:
    lines = []
    for size in (100, 400):
        with counted_lines() as count:
            read_everything([None, *map(SHAPES[shape], range(1, size))])
        lines.append(count[0])
    assert lines[1] < 5.5 * lines[0], lines


@pytest.mark.parametrize("seed", range(20))
def test_the_waterfall_has_each_span_once_below_its_parent(seed: int) -> None:
    order = random.Random(seed)
    size = order.randrange(1, 60)
    parents = [order.choice([None, *(other for other in range(size + 2) if other != number)]) for number in range(size)]
    found = forest(parents)
    query = WaterfallQuery(critical="only" if seed % 2 else "on", open=tuple(f"s{number}" for number in range(size)))
    critical = critical_path(found.roots)
    rows = rows_of(found, query, critical)
    path: list[str] = []
    met: list[str] = []
    for row in rows:
        if row.span is None:
            continue
        timed = row.span
        if timed.parent is not None:
            assert timed.parent.span.span_id in path[: row.depth]
        path[row.depth :] = [""] * (row.depth - len(path)) + [timed.span.span_id]
        met.append(timed.span.span_id)
    assert len(met) == len(set(met))
    above = {one.span.span_id: one.parent for one in found.all}
    expected = set[str]()
    for span_id in critical if seed % 2 else above:
        timed_or_none = found.by_id[span_id]
        while timed_or_none is not None:
            expected.add(timed_or_none.span.span_id)
            timed_or_none = timed_or_none.parent  # type: ignore[assignment]
    assert set(met) == expected

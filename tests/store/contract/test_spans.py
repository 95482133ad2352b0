"""Test reading single spans, as their pages do."""

from __future__ import annotations

import itertools
import random

import pytest

from signalbox.store import NewEvent, Store
from signalbox.store.history import History
from signalbox.store.past_reading import PastReading


async def test_a_span_is_found_only_in_its_own_task(store: Store) -> None:
    store.append("run", NewEvent(event_type="work_item_start", span_id="a", payload={"work_item_id": "first"}))
    store.append("other", NewEvent(event_type="log", span_id="b"))
    async with store.read() as view:
        span = await view.span("run", "a")
        assert span is not None
        assert (span.name, span.state) == ("first", "open")
        assert await view.span("run", "b") is None
        assert await view.span("nobody", "a") is None


async def test_children_are_ordered_by_their_start(store: Store) -> None:
    for span, parent in (("c", "a"), ("a", None), ("b", "a"), ("x", "b")):
        store.append("run", NewEvent(event_type="work_item_start", span_id=span, parent_span_id=parent))
    async with store.read() as view:
        assert [span.span_id for span in await view.span_children("run", "a", 10)] == ["c", "b"]
        assert [span.span_id for span in await view.span_children("run", "a", 1)] == ["c"]
        assert await view.span_children("run", "x", 10) == []


async def test_the_parents_of_spans_are_read_up_to_a_number_of_levels(store: Store) -> None:
    for span, parent in (("a", None), ("b", "a"), ("c", "b"), ("x", "y"), ("y", "x"), ("z", "unknown")):
        store.append("run", NewEvent(event_type="work_item_start", span_id=span, parent_span_id=parent))
    async with store.read() as view:
        assert await view.span_parents("run", ["c"], 0) == {"c": "b"}
        assert await view.span_parents("run", ["c", "z"], 1) == {"c": "b", "b": "a", "z": "unknown"}
        assert await view.span_parents("run", ["c", "none"], 6) == {"c": "b", "b": "a", "a": None}
        assert await view.span_parents("run", ["x"], 6) == {"x": "y", "y": "x"}
        assert await view.span_parents("run", [], 6) == {}


async def test_children_are_counted_for_each_span(store: Store) -> None:
    for span, parent in (("a", None), ("b", "a"), ("c", "a"), ("d", "b")):
        store.append("run", NewEvent(event_type="work_item_start", span_id=span, parent_span_id=parent))
    store.append("other", NewEvent(event_type="work_item_start", span_id="x", parent_span_id="a"))
    async with store.read() as view:
        assert await view.child_counts("run", ["a", "b", "c", "nobody"]) == {"a": 2, "b": 1}
        assert await view.child_counts("run", []) == {}
        past = PastReading(view, await History().state_at(view, "run", 3))
        assert await past.child_counts("run", ["a", "b"]) == {"a": 2}


def _random_tree(seed: int, size: int = 40) -> dict[str, str | None]:
    """Return the parents of spans: also cycles, and parents that no event names."""
    order = random.Random(seed)
    names = [f"s{number}" for number in range(size)]
    parents = {name: order.choice([None, "unknown", *names]) for name in names}
    return {name: None if parent == name else parent for name, parent in parents.items()}


def _above(parents: dict[str, str | None], span_id: str, levels: int) -> set[str]:
    found = set[str]()
    above: str | None = span_id
    for _ in range(levels + 1):
        if above in parents:
            found.add(above)
            above = parents[above]
    return found


def _below(parents: dict[str, str | None], span_id: str, levels: int) -> set[str]:
    found = {span_id}
    for _ in range(levels):
        found |= {name for name, parent in parents.items() if parent in found}
    return found - {span_id}


@pytest.mark.parametrize("seed", range(4))
async def test_spans_above_and_below_are_those_of_a_simple_model(store: Store, seed: int) -> None:
    parents = _random_tree(seed)
    store.append(
        "run",
        [
            NewEvent(event_type="work_item_start", span_id=name, parent_span_id=parent)
            for name, parent in parents.items()
        ],
    )
    async with store.read() as view:
        past = PastReading(view, await History().state_at(view, "run", len(parents)))
        for reading in (view, past):
            for name, levels in itertools.product(parents, (0, 1, 3, 50)):
                above = await reading.spans_with_ancestors("run", [name, "s0"], levels)
                assert {s.span_id for s in above} == _above(parents, name, levels) | _above(parents, "s0", levels)
                below = await reading.span_descendants("run", name, levels, 1000)
                assert {span.span_id for span in below} == _below(parents, name, levels)
                few = await reading.span_descendants("run", name, levels, 3)
                assert len(few) == min(3, len(below))


async def test_changed_spans_are_in_the_order_of_their_changes(store: Store) -> None:
    for event_type, span in (("work_item_start", "a"), ("work_item_start", "b"), ("work_item_complete", "a")):
        store.append("run", NewEvent(event_type=event_type, span_id=span))
    async with store.read() as view:
        assert [span.span_id for span in await view.spans_changed("run", 0, 10)] == ["b", "a"]
        assert [span.span_id for span in await view.spans_changed("run", 2, 10)] == ["a"]

"""Test reading single spans, as their pages do."""

from __future__ import annotations

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

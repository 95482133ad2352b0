"""Spans one by one, as their pages read them."""

from __future__ import annotations

from signalbox.store import NewEvent, Store


async def test_a_span_is_found_by_its_id_in_its_own_task_alone(store: Store) -> None:
    store.append("run", NewEvent(event_type="work_item_start", span_id="a", payload={"work_item_id": "first"}))
    store.append("other", NewEvent(event_type="log", span_id="b"))
    async with store.read() as view:
        found = await view.span("run", "a")
        assert found is not None
        assert (found.name, found.state) == ("first", "open")
        assert await view.span("run", "b") is None
        assert await view.span("nobody", "a") is None


async def test_children_come_in_the_order_in_which_they_began(store: Store) -> None:
    for span, parent in (("c", "a"), ("a", None), ("b", "a"), ("x", "b")):
        store.append("run", NewEvent(event_type="work_item_start", span_id=span, parent_span_id=parent))
    async with store.read() as view:
        assert [span.span_id for span in await view.span_children("run", "a", 10)] == ["c", "b"]
        assert [span.span_id for span in await view.span_children("run", "a", 1)] == ["c"]
        assert await view.span_children("run", "x", 10) == []

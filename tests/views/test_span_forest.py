"""Test that a forest that is brought up to date equals one that is read anew."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from signalbox.store import NewEvent, open_store
from signalbox.webapp.views import span_times
from signalbox.webapp.views.span_times import SpanForest, span_forest


@pytest.fixture(autouse=True)
def none_kept() -> Iterator[None]:
    span_times._recent.clear()
    yield
    span_times._recent.clear()


def shape(forest: SpanForest) -> list[object]:
    spans = [
        (one.span, one.start, one.end, one.own, one.parent and one.parent.span.span_id, [c.span for c in one.children])
        for one in forest.all
    ]
    return [*sorted(spans, key=lambda one: one[0].span_id), forest.begin, forest.length, forest.after, forest.next]


@pytest.mark.parametrize("seed", range(8))
async def test_a_forest_follows_the_log(seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(span_times, "MAX_SPANS", 12)
    monkeypatch.setattr(span_times, "MAX_CHANGED", 5)
    order = random.Random(seed)
    store = open_store(f"sqlite:///{tmp_path / 'log.db'}")
    kinds = ["work_item_start", "work_item_start", "work_item_complete", "span_end", "log"]
    for step in range(60):
        number, parent = order.sample(range(25), 2)
        above = f"s{parent}" if order.random() < 0.7 else None
        store.append("run", NewEvent(event_type=order.choice(kinds), span_id=f"s{number}", parent_span_id=above))
        async with store.read() as view:
            task = await view.task("run")
            following = (await span_forest(view, task)).next
            for after in (0, following) if following else (0,):
                followed = await span_forest(view, task, after=after)
                kept = dict(span_times._recent)
                span_times._recent.clear()
                assert shape(followed) == shape(await span_forest(view, task, after=after)), step
                span_times._recent.clear()
                span_times._recent.update(kept)
    await store.aclose()


async def test_spans_after_a_full_page_do_not_change_its_forest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(span_times, "MAX_SPANS", 12)
    store = open_store(f"sqlite:///{tmp_path / 'log.db'}")
    store.append("run", [NewEvent(event_type="span_end", span_id=f"s{number}") for number in range(20)])
    forests = []
    for number in (20, 21):
        async with store.read() as view:
            forests.append(await span_forest(view, await view.task("run")))
        store.append("run", NewEvent(event_type="span_end", span_id=f"s{number}"))
    assert forests[0] is forests[1]
    await store.aclose()


async def test_spans_with_long_texts_make_a_page_shorter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(span_times, "MAX_TEXT_CHARS", 10_000)
    monkeypatch.setattr(span_times, "READ_AT_ONCE", 3)
    store = open_store(f"sqlite:///{tmp_path / 'log.db'}")
    start, failed = "work_item_start", "work_item_failed"
    for number in range(40):
        name, message = {"name": "n" * 200}, {"message": "m" * 1000}
        store.append("run", NewEvent(event_type=start, span_id=f"s{number}", payload=name))
        store.append("run", NewEvent(event_type=failed, span_id=f"s{number}", payload=message))
    found: list[str] = []
    after: int | None = 0
    async with store.read() as view:
        task = await view.task("run")
        while after is not None:
            forest = await span_forest(view, task, after=after)
            assert 9 <= len(forest.all) <= 12 or forest.next is None
            found += forest.by_id
            after = forest.next
    assert found == [f"s{number}" for number in range(40)]
    await store.aclose()

"""Long payloads: their depth is counted in linear time, and reading a page of them does not stop the event loop."""

from __future__ import annotations

import json
import threading
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signalbox.store import NewEvent
from signalbox.store.events import MAX_DEPTH, depth_of
from signalbox.store.sql import rows
from signalbox.store.sqlite import SqliteStore

TEXTS = st.sampled_from(["", "[", '"', "\\", '\\"[', "{}", "é]", "\\\\"])
VALUES = st.recursive(TEXTS, lambda some: st.lists(some, max_size=3) | st.dictionaries(TEXTS, some, max_size=3))


def nesting(value: Any) -> int:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return 0 if inner is None else 1 + max(map(nesting, inner), default=0)


@given(VALUES, st.integers(0, 3))
def test_brackets_in_strings_add_no_depth(value: Any, above: int) -> None:
    for _ in range(above):
        value = [value, {"x]": value}]
    many = [value, [{}] * (MAX_DEPTH + 1)]  # with few brackets nothing is counted
    assert depth_of(json.dumps(many, ensure_ascii=False)) == nesting(many)


@pytest.mark.parametrize("depth", [MAX_DEPTH, MAX_DEPTH + 1, 3 * MAX_DEPTH])
def test_a_depth_over_the_limit_is_seen(depth: int) -> None:
    for opening, closing in (("[", "]"), ('{"a":', "}")):
        text = f"[{opening * (depth - 1)}1{closing * (depth - 1)},[],[]]"
        assert (depth_of(text) > MAX_DEPTH) == (depth > MAX_DEPTH)


@pytest.mark.parametrize("payload", [[[]] * 60_000, json.dumps([{"a": ["b"]}] * 10_000)], ids=("lists", "text"))
def test_the_depth_of_a_long_payload_is_counted_quickly(payload: Any) -> None:
    text = json.dumps({"data": payload})
    began = time.thread_time()
    for _ in range(20):
        assert depth_of(text) <= 4
    assert time.thread_time() - began < 0.5


async def test_a_page_of_long_payloads_is_read_in_a_thread(store: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    threads, events_of = [], rows.events_of

    def noticed(found: Any) -> Any:
        threads.append(threading.current_thread())
        return events_of(found)

    monkeypatch.setattr(rows, "events_of", noticed)
    await store.acreate_task("long")
    payload = {"data": [[number] for number in range(20_000)]}
    await store.aappend("long", [NewEvent(event_type="log", payload=payload) for _ in range(4)])
    async with store.read() as view:
        assert len(await view.events("long", 0, 4)) == 4
        assert len(await view.events("long", 0, 1)) == 1
    assert threads[0] is not threading.current_thread()
    assert threads[1] is threading.current_thread()

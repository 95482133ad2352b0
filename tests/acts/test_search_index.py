"""Test that a search index that is missing, late or turned off shows in health, metrics and on the page."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from signalbox.store import NewEvent, Store, open_store
from signalbox.store.contract import Fence
from signalbox.store.indexing import SearchIndexer
from signalbox.store.loops import Loops
from signalbox.store.search import IndexState, SearchQuery
from signalbox.store.search.results import MAX_TAIL, IndexWork
from signalbox.store.sqlite.text_index import NO_FTS5
from signalbox.webapp.acts.search_index import LATE_SECONDS, SearchIndexState
from tests.support.server import Server
from tests.support.waiting import wait_until


async def test_a_late_index_is_a_warning_after_a_minute_and_a_fresh_one_is_none(url: str) -> None:
    store = open_store(url)
    state = SearchIndexState(store, Loops(), on=True, interval=3600)

    def codes(behind: int, at: float) -> list[str]:
        state.take(IndexWork(0, behind // 16, (), True, True, False), at)
        return [problem.code for problem in state.problems()]

    assert codes(2 * MAX_TAIL, 100) == []
    assert codes(2 * MAX_TAIL, 101 + LATE_SECONDS) == ["search_index_behind"]
    assert state.behind == 2 * MAX_TAIL
    assert codes(MAX_TAIL, 102 + LATE_SECONDS) == []
    assert codes(2 * MAX_TAIL, 103 + LATE_SECONDS) == []
    await state.stop()
    await store.aclose()


async def test_an_index_that_cannot_be_used_is_reported_and_searches_work_without_it(url: str, tmp_path: Path) -> None:
    store = open_store(url)
    store.append("run", [line(number) for number in range(64)])
    indexer = SearchIndexer(store, Loops())
    await until(store, lambda index: index.on and index.blocks == 4)
    await indexer.stop()
    await store.aclose()

    rename_module(tmp_path / "signalbox.db", "fts5", "nofts5")
    store = open_store(url)
    store.append("run", [line(number) for number in range(64, 128)])
    indexer = SearchIndexer(store, Loops())
    state = SearchIndexState(store, Loops(), on=True, interval=0.05)
    await asyncio.to_thread(wait_until, state.problems)
    (problem,) = state.problems()
    assert (problem.code, NO_FTS5 in problem.message, state.used) == ("search_index_missing", True, False)
    assert await hits(store) == 128
    await state.stop()
    await indexer.stop()
    await store.aclose()

    rename_module(tmp_path / "signalbox.db", "nofts5", "fts5")
    store = open_store(url)
    indexer = SearchIndexer(store, Loops())
    await until(store, lambda index: index.on and index.blocks == 8)
    assert await hits(store) == 128
    await indexer.stop()
    await store.aclose()


async def test_an_index_that_cannot_be_used_can_be_turned_off_and_created_again(url: str, tmp_path: Path) -> None:
    store = open_store(url)
    store.append("run", [line(number) for number in range(64)])
    indexer = SearchIndexer(store, Loops())
    await until(store, lambda index: index.on and index.blocks == 4)
    await indexer.stop()
    await store.aclose()

    rename_module(tmp_path / "signalbox.db", "fts5", "nofts5")
    store, loops = open_store(url), Loops()
    indexer = SearchIndexer(store, loops, on=False)
    await until(store, lambda index: not index.on and not index.blocks)
    await indexer.stop()
    assert [loop.failures for loop in loops if loop.name == "search_index"] == [0]
    await store.aclose()

    rename_module(tmp_path / "signalbox.db", "nofts5", "fts5")
    store = open_store(url)
    indexer = SearchIndexer(store, Loops())
    await until(store, lambda index: index.on and index.blocks == 4)
    assert await hits(store) == 64
    await indexer.stop()
    await store.aclose()


async def test_a_removal_of_the_index_that_was_interrupted_is_completed_by_the_next_process(url: str) -> None:
    fence = Fence("signalbox:search", "test")
    store = open_store(url)
    store.append("run", [line(number) for number in range(64)])
    indexer = SearchIndexer(store, Loops())
    await until(store, lambda index: index.on and index.blocks == 4)
    await indexer.stop()
    assert (await store.aclaim(fence.name, fence.holder, 60)).held
    assert await store.adrop_index(fence, 100)
    await store.aclose()
    store = open_store(url)
    while await store.adrop_index(fence, 100):
        pass
    assert await store.aopen_index(fence) == ""
    await store.aclose()


@pytest.mark.long
def test_the_page_and_the_metrics_say_that_the_index_is_turned_off(start_server: Callable[..., Server]) -> None:
    server = start_server(search_index=False)
    server.emit("run", line(1))
    assert "turned off by the setting" in server.get("/search?q=line").text
    metrics = server.get("/metrics").text
    assert "signalbox_search_index_on 0.0" in metrics
    assert "signalbox_search_index_behind" in metrics
    assert server.get("/api/events/health").json()["warnings"] == []


def line(number: int) -> NewEvent:
    return NewEvent(event_type="log", payload={"message": f"line {number}"})


def rename_module(path: Path, old: str, new: str) -> None:
    """Make SQLite take the index for a table of another module, as a build without FTS5 does."""
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("PRAGMA writable_schema = ON")
        sql = "UPDATE sqlite_master SET sql = replace(sql, ?, ?) WHERE name = 'search_texts'"
        database.execute(sql, (f"USING {old}(", f"USING {new}("))


async def until(store: Store, condition: Callable[[IndexState], object]) -> None:
    async with asyncio.timeout(60):
        while True:
            async with store.read() as view:
                if condition(await view.index_state()):
                    return
            await asyncio.sleep(0.05)


async def hits(store: Store) -> int:
    async with store.read() as view:
        page = await view.search_all(SearchQuery("line", limit=200), seconds=30)
    return len(page.hits)

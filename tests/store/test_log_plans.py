"""Test what SQLite reads for the queries of one log: few events among many lines, each line once, and pages once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from signalbox.store import LogQuery, NewEvent, open_store
from signalbox.store.sqlite import SqliteStore
from signalbox.store.sqlite.readers import CACHE_KB, FIRST_CACHE_KB
from signalbox.store.sqlite.views import View

LINES = [NewEvent(event_type="log", payload={"message": f"line {n}"}) for n in range(20)]
COMMIT = NewEvent(event_type="checkpoint_commit", payload={"checkpoint_id": "c"})
Statement = tuple[str, tuple[object, ...]]
Query = Callable[[View], Awaitable[Any]]


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    store = open_store(f"sqlite:///{tmp_path}/x.db")
    assert isinstance(store, SqliteStore)
    store.append("run", [*LINES, COMMIT, *LINES, COMMIT])
    yield store
    await store.aclose()


@pytest.fixture
def statements(monkeypatch: pytest.MonkeyPatch) -> list[Statement]:
    found: list[Statement] = []
    rows = View._rows

    async def recorded(self: View, sql: str, *values: object) -> list[Any]:
        found.append((sql, values))
        return await rows(self, sql, *values)

    monkeypatch.setattr(View, "_rows", recorded)
    return found


async def plan(view: View, statement: Statement) -> list[str]:
    sql, values = statement
    return [row[3] for row in await view._rows(f"EXPLAIN QUERY PLAN {sql}", *values)]


@pytest.mark.parametrize(
    "query",
    [
        lambda view: view.search("run", LogQuery(event_type="checkpoint_commit")),
        lambda view: view.events_of_types("run", ["checkpoint_commit", "phase_enter"], 1000),
        lambda view: view.events_of_types("run", ["checkpoint_commit"], 1000, naming="c"),
    ],
    ids=["search", "types", "naming"],
)
async def test_a_query_for_types_reads_no_line_of_output(
    query: Query, store: SqliteStore, statements: list[Statement]
) -> None:
    async with store._readers.view() as view:
        await query(view)
        steps = [step for step in await plan(view, statements[0]) if "task_events" in step]
    assert steps
    assert all("task_events_types" in step for step in steps), steps


async def test_a_query_for_lines_and_other_types_finds_both(store: SqliteStore) -> None:
    async with store.read() as view:
        found = await view.events_of_types("run", ["log", "checkpoint_commit"], 1000)
        hits = await view.search("run", LogQuery(event_type="log"), limit=5)
    assert [event.seq for event in found] == list(range(1, 43))
    assert (hits.total, hits.more, [event.seq for event in hits.events]) == (40, True, [1, 2, 3, 4, 5])


@pytest.mark.parametrize("after", [0, 3, 15, 40, 42])
@pytest.mark.parametrize("limit", [1, 2, 18, 22, 100])
async def test_a_page_of_hits_tells_the_total_wherever_it_begins(store: SqliteStore, after: int, limit: int) -> None:
    wanted = [n + 1 for n in range(20) if "1" in str(n)] + [n + 22 for n in range(20) if "1" in str(n)]
    rest = [seq for seq in wanted if seq > after]
    async with store.read() as view:
        hits = await view.search("run", LogQuery(text="1"), after, limit)
    assert hits.total == len(wanted)
    assert [event.seq for event in hits.events] == rest[:limit]
    assert hits.more == (len(rest) > limit)


async def test_a_text_that_is_part_of_the_type_of_lines_finds_the_lines(store: SqliteStore) -> None:
    async with store.read() as view:
        assert (await view.search("run", LogQuery(text="LoG"))).total == 40
        assert (await view.search("run", LogQuery(text="commit"))).total == 2
        assert (await view.search("run", LogQuery(text="logs"))).total == 0


async def test_views_that_do_not_overlap_share_the_connection_with_the_large_cache(store: SqliteStore) -> None:
    async def cache(view: View) -> int:
        ((kilobytes,),) = await view._rows("PRAGMA cache_size")
        return -int(kilobytes)

    together = asyncio.Barrier(3)

    async def take() -> int:
        async with store._readers.view() as view:
            await together.wait()
            return await cache(view)

    found = await asyncio.gather(take(), take(), take())
    assert sorted(found) == [CACHE_KB, CACHE_KB, FIRST_CACHE_KB]
    for _ in range(3):
        async with store._readers.view() as view:
            assert await cache(view) == FIRST_CACHE_KB

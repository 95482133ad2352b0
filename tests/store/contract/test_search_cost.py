"""Test that a search over all tasks reads a bounded part of the log and of its index, however long the log is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import pytest

from signalbox.store import NewEvent, Store
from signalbox.store.postgresql.index_rows import PostgresIndexReads
from signalbox.store.search import SearchQuery
from signalbox.store.search.coarse import PART_BLOCKS
from signalbox.store.search.documents import BLOCK_EVENTS
from signalbox.store.sql.searching.comparison import Wanted
from signalbox.store.sql.searching.scan import FIRST_BATCH, ScanViews
from signalbox.store.sql.views.search import MAX_COUNTED
from signalbox.store.sql.views.search_index import SearchIndexViews
from signalbox.store.sqlite.index_rows import SqliteIndexReads
from tests.support.search_index import fill


class Read(NamedTuple):
    """What searches read: the blocks whose events were compared, and how many blocks the index was asked for."""

    blocks: list[int]
    asked: list[int]


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> Read:
    """Record what is read. Counting the index fails."""
    read, compared = Read([], []), ScanViews._compared

    async def recorded(self: Any, query: SearchQuery, blocks: Sequence[int], low: int, high: int) -> Any:
        read.blocks.extend(blocks)
        return await compared(self, query, blocks, low, high)

    def asking(kind: type[Any]) -> None:
        named = kind._named_by_index

        async def asked(self: Any, wanted: Wanted, low: int, high: int, limit: int, ascending: bool) -> Any:
            read.asked.append(high - low)
            return await named(self, wanted, low, high, limit, ascending)

        monkeypatch.setattr(kind, "_named_by_index", asked)

    async def measured(self: Any) -> Any:
        raise AssertionError("a search counts the index")

    monkeypatch.setattr(ScanViews, "_compared", recorded)
    monkeypatch.setattr(SearchIndexViews, "index_state", measured)
    for kind in (SqliteIndexReads, PostgresIndexReads):
        asking(kind)
    return read


async def found(store: Store, **fields: Any) -> int:
    async with store.read() as view:
        page = await view.search_all(SearchQuery(**fields), seconds=30)
    assert page.reached is None
    return page.counts.total


def append(store: Store, task_id: str, number: int, **fields: Any) -> None:
    events = [NewEvent(event_type="log", payload={"message": f"needle {n}"}, **fields) for n in range(number)]
    for at in range(0, number, 250):
        store.append(task_id, events[at : at + 250])


async def test_a_frequent_text_reads_hardly_more_than_is_counted(store: Store, read: Read) -> None:
    append(store, "run", 3 * MAX_COUNTED)
    await fill(store, blocks=64)
    assert await found(store, text="needle") == MAX_COUNTED
    assert len(read.blocks) <= MAX_COUNTED // BLOCK_EVENTS + FIRST_BATCH
    read.blocks.clear()
    assert await found(store, text="needle", before=1000) == MAX_COUNTED
    assert len(read.blocks) <= MAX_COUNTED // BLOCK_EVENTS + 2 * FIRST_BATCH


async def test_a_status_is_searched_where_its_runs_have_events(store: Store, read: Read) -> None:
    append(store, "failed", 40)
    store.append("failed", NewEvent(event_type="runner_exit", payload={"exit_code": 1}))
    append(store, "running", 2000)
    await fill(store, blocks=64)
    assert await found(store, text="needle", statuses=("failed",)) == 40
    assert max(read.blocks) <= 41 // BLOCK_EVENTS
    assert sum(read.asked) <= 41 // BLOCK_EVENTS + 1
    read.asked.clear()
    assert await found(store, text="needle", statuses=("cancelled",)) == 0
    assert read.asked == []


async def test_a_time_is_searched_where_events_happened_then(store: Store, read: Read) -> None:
    append(store, "old", 40, occurred_at="2020-01-01T00:00:00Z")
    append(store, "new", 2 * PART_BLOCKS * BLOCK_EVENTS)
    await fill(store, blocks=64)
    assert await found(store, text="needle", until="2021-01-01T00:00:00Z") == 40
    assert sum(read.asked) <= PART_BLOCKS
    read.asked.clear()
    assert await found(store, text="needle", until="2019-01-01T00:00:00Z") == 0
    assert read.asked == []
    assert await found(store, text="needle", since="2021-01-01T00:00:00Z", before=50) == MAX_COUNTED

"""Test the size of the transactions that fill the search index."""

from __future__ import annotations

import asyncio
import sqlite3
import zlib
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from signalbox.store import NewEvent, open_store
from signalbox.store.indexing import LONGEST_WRITE, MOST, SearchIndexer
from signalbox.store.loops import Loops
from signalbox.store.search.documents import BLOCK_EVENTS


async def test_other_writers_do_not_make_the_transactions_of_the_index_small(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "signalbox.db"
    store = open_store(f"sqlite:///{path}")
    blocks_in_all, sizes, done = 4 * MOST, list[int](), asyncio.Event()
    lines = [NewEvent(event_type="log", payload={"message": f"line {number}"}) for number in range(BLOCK_EVENTS)]
    store.create_task("run")
    for _ in range(blocks_in_all):
        await store.aappend("run", lines)
    aindex = store.aindex

    with closing(sqlite3.connect(path, isolation_level=None)) as other:

        async def locked(fence: Any, documents: Any, blocks: Sequence[int], **progress: Any) -> float:
            other.execute("BEGIN IMMEDIATE")
            asyncio.get_running_loop().call_later(2 * LONGEST_WRITE, other.rollback)
            worked = await aindex(fence, documents, blocks, **progress)
            sizes.append(len(blocks))
            if sum(sizes) >= blocks_in_all - 1:
                done.set()
            return worked

        monkeypatch.setattr(store, "aindex", locked)
        indexer = SearchIndexer(store, Loops())
        async with asyncio.timeout(60):
            await done.wait()
        await indexer.stop()
    await store.aclose()
    assert max(sizes) == MOST


async def test_the_index_keeps_no_text_of_events_that_were_erased_while_it_read_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "signalbox.db"
    store = open_store(f"sqlite:///{path}")
    lines = [NewEvent(event_type="log", payload={"message": f"secret {number}"}) for number in range(2 * BLOCK_EVENTS)]
    await store.aappend("run", lines)
    aindex, erased = store.aindex, list[int]()

    async def late(*args: Any, **progress: Any) -> float:
        if not erased:
            erased.extend(await store.aerase_events("run", [2], actor="ann", reason="asked for"))
        return await aindex(*args, **progress)

    monkeypatch.setattr(store, "aindex", late)
    indexer = SearchIndexer(store, Loops())
    async with asyncio.timeout(60):
        while True:
            async with store.read() as view:
                work = await view.index_work(1)
            if work.next_block and not work.changed:
                break
            await asyncio.sleep(0.02)
    await indexer.stop()
    await store.aclose()
    with closing(sqlite3.connect(path)) as database:
        documents = [zlib.decompress(row[0]) for row in database.execute("SELECT document FROM search_documents")]
    indexed = b"\n".join(documents)
    assert b"secret 0\n" in indexed
    assert b"secret 1\n" not in indexed

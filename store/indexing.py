"""The process that fills the index of the search over all runs: a durable consumer of the log.

Every server process has a `SearchIndexer`, and the one that holds the lease works. The position in the log is part of
the index and changes in the same transaction, so both always agree: after a crash, a restored backup or another epoch,
the index continues where it is. Each transaction is short, and the indexer pauses after it as long as it took.

Deleted events stay in the index until a sweep finds that a block has another number of events than when it was indexed.
They are never found, because every hit is compared with the event itself.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Sequence
from contextlib import suppress
from typing import TypeVar

from signalbox.store.contract import Store
from signalbox.store.errors import ColdFileDamaged, LeaseLost, StoreDamaged, StoreUnavailable
from signalbox.store.leadership import Leadership
from signalbox.store.loops import Loops, end_tasks, shared_pause
from signalbox.store.search.coarse import PART_BLOCKS, blocks_of, filter_of
from signalbox.store.search.documents import IndexedEvent, documents_of
from signalbox.store.search.results import IndexPart, IndexWork

LEASE = "signalbox:search"
"""The name of the lease that makes one process fill the index."""

T = TypeVar("T")

LONGEST_WRITE = 0.01
"""Seconds that a transaction may work. Later ones have fewer blocks if one works longer.

The wait for other writers does not count: they would make each transaction small, and small ones cost three times as
much CPU for each event.
"""

FEWEST, MOST = 2, 32
"""Blocks in one transaction."""

GATHERING, LONGEST_PAUSE = 1.0, 5.0
"""Seconds between two looks for work while there are new events, and when there have been none for a while.

One transaction with many blocks costs less than many with few, and a search finds new events without the index too. So
nothing wakes the indexer.
"""

MERGES = 8
"""The most steps of merging after each transaction."""

SWEEP = 32
"""Parts of the log that are compared with the index in one step of the sweep."""

SWEEP_PAUSE = 600.0
"""Seconds between two sweeps."""

DROPPED = 100
"""Blocks that are removed in one transaction."""

IDLE_LEASE = 10.0
"""Seconds after which a process without work gives up the lease, so that it does not have to renew it."""

log = logging.getLogger("signalbox.store")


class SearchIndexer:
    """Fills the index while this process holds the lease. If not `on`, it removes the index instead."""

    def __init__(self, store: Store, loops: Loops, *, on: bool = True) -> None:
        self._store, self._on = store, on
        self._leadership = Leadership(store, LEASE)
        self._size, self._pause = FEWEST, GATHERING
        self._sweep_at, self._sweep_next = 0, 0.0
        self._worked_at, self._try_again_at = 0.0, 0.0
        self._opened = False
        self._loop = loops.loop("search_index")
        self._task = asyncio.create_task(self._run(), name="signalbox-search-index")

    async def stop(self) -> None:
        """Stop, so that another process may continue at once."""
        await end_tasks(self._task)

    async def _run(self) -> None:
        async with self._leadership:
            await self._loop.run(self._turn)

    async def _turn(self) -> None:
        """Do one piece of work, or wait for more."""
        async with self._store.glance() as view:
            work = await view.index_work(MOST)
        if not self._has_work(work):
            if self._leadership.held and time.monotonic() - self._worked_at > IDLE_LEASE:
                with suppress(LeaseLost):
                    await self._store.atidy_index(self._leadership.fence)
                await self._leadership.release()
            await asyncio.sleep(shared_pause(self._pause))
            self._pause = min(self._pause * 1.5, LONGEST_PAUSE)
            return
        self._pause = GATHERING
        try:
            if not self._leadership.held:
                await self._leadership.acquire(self._loop.record_success)
                return
            await self._work(work)
            self._worked_at = time.monotonic()
        except LeaseLost:
            self._leadership.resign()

    def _has_work(self, work: IndexWork) -> bool:
        if not self._on:
            return work.on or work.blocks or work.next_block > 0
        if not work.on and time.monotonic() < self._try_again_at:
            return False
        sweeps = work.blocks and time.monotonic() >= self._sweep_next
        return work.rebuild or not work.on or work.next_block < work.end_block or bool(work.changed) or sweeps

    async def _work(self, work: IndexWork) -> None:
        fence = self._leadership.fence
        # A drop that has begun goes back to block 0. An index with a problem keeps its blocks, and continues later.
        if not self._on or work.rebuild or (work.blocks and not work.on and not work.next_block):
            await self._paced(self._store.adrop_index(fence, DROPPED))
            self._opened = False
        elif not (work.on and self._opened):
            # Another build of SQLite may have created the index that this process cannot use.
            problem = await self._store.aopen_index(fence)
            self._opened = not problem
            if problem:
                log.warning("the search over all runs has no index and is slower: %s", problem)
                self._try_again_at = time.monotonic() + SWEEP_PAUSE
        elif work.next_block < work.end_block:
            blocks = range(work.next_block, min(work.end_block, work.next_block + self._size))
            await self._index(blocks, work.changes, next_block=blocks.stop)
        elif work.changed:
            await self._index(work.changed[: self._size], work.changes)
        else:
            await self._sweep(work)

    async def _index(self, blocks: Sequence[int], changes: int, *, next_block: int | None = None) -> None:
        async with self._store.glance() as view:
            erasures = await view.erasures()
        documents = await asyncio.to_thread(documents_of, await self._readable_events(blocks))
        fence = self._leadership.fence
        worked = await self._paced(
            self._store.aindex(fence, documents, blocks, next_block=next_block, erasures=erasures, changes=changes)
        )
        if worked > LONGEST_WRITE:
            self._size = max(FEWEST, self._size // 2)
        elif worked < LONGEST_WRITE / 2:
            self._size = min(MOST, self._size * 2)
        for _ in range(MERGES):
            if not await self._tidied():
                break

    async def _readable_events(self, blocks: Sequence[int]) -> list[IndexedEvent]:
        """Return the events of these blocks, without those of blocks that cannot be read because of damage."""
        try:
            async with self._store.glance() as view:
                return await view.events_to_index(blocks)
        except StoreDamaged as error:
            if len(blocks) == 1:
                log.warning("the search index leaves out a part of the log that cannot be read: %s", error)
                return []
        return [event for block in blocks for event in await self._readable_events([block])]

    async def _tidied(self) -> bool:
        began = time.monotonic()
        more = await self._store.atidy_index(self._leadership.fence)
        await asyncio.sleep(time.monotonic() - began)
        return more

    async def _sweep(self, work: IndexWork) -> None:
        """Bring the index of some parts of the log in step with events that were deleted, moved or brought back."""
        complete = work.next_block // PART_BLOCKS
        end = complete + (work.next_block % PART_BLOCKS > 0)
        async with self._store.glance() as view:
            parts = await view.index_parts(self._sweep_at, max(0, min(SWEEP, end - self._sweep_at)))
        reachable = True
        for part in parts:
            if part.part < complete:
                if reachable or part.is_hot:
                    reachable = await self._index_part(part, work.changes) and reachable
            elif not part.is_cold:
                await self._index_changed([block for block in part.changed if block < work.next_block], work.changes)
        self._sweep_at += SWEEP
        if self._sweep_at >= end:
            self._sweep_at, self._sweep_next = 0, time.monotonic() + SWEEP_PAUSE
        else:
            await asyncio.sleep(0.05)

    async def _index_part(self, part: IndexPart, changes: int) -> bool:
        """Bring the index of a part in step. Return False if a place of cold files cannot be used now."""
        if part.is_cold and not part.is_hot:
            # All its events are in cold storage, so the small filter replaces the documents.
            if part.indexed or not part.has_filter:
                return await self._replace_by_filter(part.part)
        elif not (part.is_cold and (part.has_filter or part.indexed)):
            # Otherwise some events are here, and what the index knows includes those in cold storage.
            await self._index_changed(part.changed, changes)
            if part.has_filter and not part.is_cold:
                await self._paced(self._store.aindex_part(self._leadership.fence, part.part, None))
        return True

    async def _replace_by_filter(self, part: int) -> bool:
        """Replace the documents of a part by its filter. Return False if a place of cold files cannot be used now."""
        try:
            async with self._store.glance() as view:
                events = await view.events_to_index(blocks_of(part), whole=True)
        except StoreUnavailable:
            return False
        except ColdFileDamaged:
            return True  # The index keeps what it knows: the file may be put back.
        bits = await asyncio.to_thread(lambda: filter_of(documents_of(events)))
        await self._paced(self._store.aindex_part(self._leadership.fence, part, bits))
        return True

    async def _index_changed(self, changed: Sequence[int], changes: int) -> None:
        while changed:
            some, changed = changed[: self._size], changed[self._size :]
            await self._index(some, changes)

    async def _paced(self, write: Awaitable[T]) -> T:
        """Run one transaction, let others write for as long as it took, and return its result."""
        began = time.monotonic()
        result = await write
        await asyncio.sleep(time.monotonic() - began)
        return result

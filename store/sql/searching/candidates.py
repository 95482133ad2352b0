"""The blocks that a search reads, in its order: those that the index names, and those that are not indexed yet."""

from __future__ import annotations

from abc import abstractmethod
from bisect import bisect_left
from collections.abc import AsyncIterator, Sequence
from typing import NamedTuple

from signalbox.store.search.coarse import PART_BLOCKS, FilterQuestion, blocks_of
from signalbox.store.search.documents import BLOCK_EVENTS, LAST_SECOND, block_of
from signalbox.store.search.results import MAX_TAIL, IndexProgress
from signalbox.store.sql.dialect import Condition
from signalbox.store.sql.searching.comparison import Wanted
from signalbox.store.sql.views.base import Rows

FIRST_NAMED, GROWTH, LAST_NAMED = 128, 4, 2048
"""Blocks that the index names at first, the factor of the next times, and the most blocks of one time.

Each time costs as much as looking up all pieces of the text, so there are few.
"""

EVERY = 512
"""Blocks of one yield when all blocks are read."""

MAX_CHANGED = 1000
"""Changed blocks that a search reads although the index may not name them."""


FILTERS = 256
"""Filters that one query reads."""


class Blocks(NamedTuple):
    """Blocks to read, in the order of the search. They settle all blocks from `low` up to and without `high`."""

    blocks: list[int]
    low: int
    high: int


class CandidateViews(Rows):
    """Reads of the index. Each kind of store implements the abstract ones."""

    _counts_here = "t.cold IS NULL"
    """The condition for the events `e` of a task `t` whose log is here, and not in cold storage."""

    @abstractmethod
    async def _named_by_index(self, wanted: Wanted, low: int, high: int, limit: int, ascending: bool) -> list[int]:
        """Return the first `limit` blocks with low <= block < high that may have hits, in this order."""

    @abstractmethod
    def _events_of_blocks(self, blocks: Sequence[int]) -> Condition:
        """Return a table with the events of these blocks under the name `e`, and its values."""

    async def _candidates(
        self, wanted: Wanted, progress: IndexProgress, low: int, high: int, ascending: bool
    ) -> AsyncIterator[Blocks]:
        """Yield the blocks with low <= block < high that may have hits. Each yield settles the next range of blocks.

        Blocks that are not indexed all may have hits. They are left out if there are too many.
        """
        end, on = block_of(progress.end - 1) + 1, progress.on
        indexed = max(low, min(progress.next_block, high)) if on else low
        parts = [_every(low, indexed, ascending)]
        if on and not wanted.is_empty:
            changed = await self._named_otherwise(wanted, progress, low, indexed)
            within = await self._at_the_time(wanted, low, indexed)
            parts = [self._indexed(wanted, within, low, indexed, ascending, changed)]
        if not on or (end - progress.next_block - 1) * BLOCK_EVENTS <= MAX_TAIL:
            parts.append(_every(indexed, high, ascending))
        for part in parts if ascending else reversed(parts):
            async for blocks in part:
                yield blocks

    async def _named_otherwise(self, wanted: Wanted, progress: IndexProgress, low: int, high: int) -> list[int]:
        """Return the blocks with low <= block < high that the index may not name, but that may have hits, sorted.

        They are the blocks that are indexed again, and those of the parts whose filter tells that they may have hits.
        """
        found = set()
        if progress.changed:
            changed = await self._rows("SELECT block FROM search_changed LIMIT ?", MAX_CHANGED)
            found = {block for (block,) in changed if low <= block < high}
        asks, after = FilterQuestion(wanted.grams, wanted.terms), low // PART_BLOCKS - 1
        while True:
            sql = "SELECT part, filter FROM search_parts WHERE part > ? AND part <= ? ORDER BY part LIMIT ?"
            parts = await self._rows(sql, after, high // PART_BLOCKS, FILTERS)
            named = (part for part, bits in parts if asks(bits))
            found.update(block for part in named for block in blocks_of(part) if low <= block < high)
            if len(parts) < FILTERS:
                return sorted(found)
            after = parts[-1][0]

    async def _at_the_time(self, wanted: Wanted, low: int, high: int) -> tuple[int, int]:
        """Return the range of blocks with low <= block < high that may have events of the wanted time."""
        if wanted.since is None and wanted.until is None:
            return low, high
        since, until = wanted.since or 0, LAST_SECOND + 1 if wanted.until is None else wanted.until
        sql = "SELECT min(part), max(part) FROM search_times WHERE newest >= ? AND oldest < ?"
        ((first, last),) = await self._rows(sql, since, until)
        if first is None:
            return low, low
        return max(low, blocks_of(first).start), min(high, blocks_of(last).stop)

    async def _indexed(
        self, wanted: Wanted, within: tuple[int, int], low: int, high: int, ascending: bool, changed: Sequence[int]
    ) -> AsyncIterator[Blocks]:
        """Yield the blocks that the index names `within` a range, and those of `changed` with low <= block < high."""
        (first, last), size = within, FIRST_NAMED

        def settled(found: Sequence[int], low: int, high: int) -> Blocks:
            also = changed[bisect_left(changed, low) : bisect_left(changed, high)]
            return Blocks(sorted({*found, *also}, reverse=not ascending), low, high)

        while first < last:
            found = await self._named_by_index(wanted, first, last, size, ascending)
            is_last = len(found) < size
            if ascending:
                first = last if is_last else found[-1] + 1
                yield settled(found, low, first)
                low = first
            else:
                last = first if is_last else found[-1]
                yield settled(found, last, high)
                high = last
            size = min(size * GROWTH, LAST_NAMED)
        yield settled([], low, high)


async def _every(low: int, high: int, ascending: bool) -> AsyncIterator[Blocks]:
    while low < high:
        first, last = (low, min(low + EVERY, high)) if ascending else (max(low, high - EVERY), high)
        blocks = range(first, last)
        yield Blocks(list(blocks if ascending else reversed(blocks)), first, last)
        low, high = (last, high) if ascending else (low, first)

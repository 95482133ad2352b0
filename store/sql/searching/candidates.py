"""The blocks that a search reads, in its order: those that the index names, and those that are not indexed yet."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import AsyncIterator, Sequence
from typing import NamedTuple

from signalbox.store.search.documents import BLOCK_EVENTS, block_of
from signalbox.store.search.results import MAX_TAIL
from signalbox.store.sql.dialect import Condition
from signalbox.store.sql.searching.comparison import Wanted
from signalbox.store.sql.views.base import Rows

FIRST_BATCH, LAST_BATCH = 32, 512
"""Blocks of the first read, and of the last ones: each read is twice as large as the one before."""

MAX_CHANGED = 1000
"""Changed blocks that a search reads although the index may not name them."""


class Blocks(NamedTuple):
    """Blocks to read, in the order of the search. They settle all blocks from `low` up to and without `high`."""

    blocks: list[int]
    low: int
    high: int


class CandidateViews(Rows):
    """Reads of the index. Each kind of store implements the abstract ones."""

    @abstractmethod
    async def _named_by_index(self, wanted: Wanted, low: int, high: int, limit: int, ascending: bool) -> list[int]:
        """Return the first `limit` blocks with low <= block < high that may have hits, in this order."""

    @abstractmethod
    def _events_of_blocks(self, blocks: Sequence[int]) -> Condition:
        """Return a table with the events of these blocks under the name `e`, and its values."""

    async def _candidates(self, wanted: Wanted, low: int, high: int, ascending: bool) -> AsyncIterator[Blocks]:
        """Yield the blocks with low <= block < high that may have hits. Each yield settles the next range of blocks.

        Blocks that are not indexed all may have hits. They are left out if there are too many.
        """
        ((next_block, on),) = await self._rows("SELECT next_block, is_on FROM search_state")
        end = block_of(await self.latest_event_id()) + 1
        indexed = max(low, min(next_block, high)) if on else low
        changed = [block for (block,) in await self._rows("SELECT block FROM search_changed LIMIT ?", MAX_CHANGED)]
        parts = [self._indexed(wanted, low, indexed, ascending, changed)] if on and not wanted.is_empty else []
        if not parts:
            parts = [_every(low, indexed, ascending)]
        if not on or (end - next_block - 1) * BLOCK_EVENTS <= MAX_TAIL:
            parts.append(_every(indexed, high, ascending))
        for part in parts if ascending else reversed(parts):
            async for blocks in part:
                yield blocks

    async def _indexed(
        self, wanted: Wanted, low: int, high: int, ascending: bool, changed: Sequence[int]
    ) -> AsyncIterator[Blocks]:
        size = FIRST_BATCH
        while low < high:
            found = await self._named_by_index(wanted, low, high, size, ascending)
            first, last = low, high
            if len(found) == size:
                first, last = (low, found[-1] + 1) if ascending else (found[-1], high)
            also = [block for block in changed if first <= block < last]
            yield Blocks(sorted({*found, *also}, reverse=not ascending), first, last)
            low, high = (last, high) if ascending else (low, first)
            size = min(size * 2, LAST_BATCH)


async def _every(low: int, high: int, ascending: bool) -> AsyncIterator[Blocks]:
    size = FIRST_BATCH
    while low < high:
        first, last = (low, min(low + size, high)) if ascending else (max(low, high - size), high)
        blocks = range(first, last)
        yield Blocks(list(blocks if ascending else reversed(blocks)), first, last)
        low, high = (last, high) if ascending else (low, first)
        size = min(size * 2, LAST_BATCH)

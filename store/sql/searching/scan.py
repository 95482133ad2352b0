"""One pass of a search over the log, from the newest event to the oldest or the other way round."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from typing import NamedTuple, Protocol, TypeVar

from signalbox.store.events import Event
from signalbox.store.search import IndexProgress, SearchQuery
from signalbox.store.search.documents import BLOCK_EVENTS, IndexedEvent, block_of
from signalbox.store.sql.searching.block_ranges import BlockRanges, Range
from signalbox.store.sql.searching.candidates import Blocks, CandidateViews
from signalbox.store.sql.searching.comparison import EventComparison, Hit, wanted

FIRST_BATCH, GROWTH, LAST_BATCH = 16, 4, 512
"""Blocks of the first read, the factor of the next ones, and the most blocks of one read."""

BATCH_CHARS = 16_000_000
"""Characters of payloads that one read may have, judged by the read before it."""

COLD_BATCH = 64
"""Blocks that are read together when tasks are in cold storage, because their files take longer."""

T = TypeVar("T")


class Scan:
    """The progress of a pass that stops after some seconds.

    `ended` says that it has seen everything. `reached` is the event id up to which, or down to which, it has.
    """

    def __init__(self, seconds: float) -> None:
        self._began, self._seconds = time.monotonic(), seconds
        self.ended = False
        self.reached: int | None = None

    def rest(self, seconds: float) -> Scan:
        """Return a pass that begins now and stops `seconds` after this one began."""
        return Scan(max(0.0, self._began + seconds - time.monotonic()))

    @property
    def is_half_over(self) -> bool:
        """Whether half of the time is over."""
        return time.monotonic() > self._began + self._seconds / 2

    @property
    def is_late(self) -> bool:
        """Whether the time is up."""
        return time.monotonic() > self._began + self._seconds


class Compared(NamedTuple):
    """The hits of one read, and the characters of payloads that it has read."""

    hits: list[Hit]
    chars: int


class OneLog(Protocol):
    """The reads of a search from the log of one task that is not in the database."""

    async def _compared(self, query: SearchQuery, blocks: Sequence[int], low: int, high: int) -> Compared:
        """Return the hits with low <= event id < high in these blocks."""

    async def events_to_index(self, blocks: Sequence[int]) -> list[IndexedEvent]:
        """Return the facts of the events of these blocks."""

    async def events_at(self, task_id: str, seqs: Sequence[int]) -> list[Event]:
        """Return the events that have these seqs."""


class OtherLogs(Protocol):
    """Logs that are not in the database: see `ColdLogs`."""

    unread: set[str]

    async def read(
        self, blocks: Sequence[int], read: Callable[[OneLog], Awaitable[T]], query: SearchQuery | None = None
    ) -> list[T]:
        """Return what `read` returns for each task that may have events in these blocks."""

    async def events(self, hits: Sequence[Hit]) -> list[Event]:
        """Return the events of those hits that are not in the database."""


class SearchScope(NamedTuple):
    """What the passes of one search have in common. `ranges` are the parts of the log to look at, or None."""

    query: SearchQuery
    progress: IndexProgress
    ranges: BlockRanges | None
    cold: OtherLogs | None

    def parts(self, first: int, last: int) -> list[Range]:
        """Return the ranges of blocks to look at with first <= block < last, in order."""
        parts = [(first, last)] if self.ranges is None else self.ranges.parts()
        clipped = [(max(first, low), min(last, high)) for low, high in parts]
        return [(low, high) for low, high in clipped if low < high]


class ScanViews(CandidateViews):
    """Runs passes."""

    async def _scan(
        self, search: SearchScope, scan: Scan, low: int, high: int, limit: int, *, ascending: bool = False
    ) -> AsyncGenerator[list[Hit]]:
        """Yield the hits with low <= event id < high in the order of the pass, in batches that may be empty.

        The pass stops when its time is up. It reads about as many blocks as `limit` hits need.
        """
        parts = search.parts(block_of(low), block_of(high - 1) + 1)
        blocks_read, found_hits, size = 0, 0, FIRST_BATCH
        most = LAST_BATCH if search.cold is None else COLD_BATCH
        async for found in self._to_read(search, parts, ascending):
            waiting = found.blocks
            while waiting:
                part, waiting = waiting[:size], waiting[size:]
                hits, chars = await self._compared(search.query, part, low, high)
                if search.cold is not None:
                    for more_hits, more_chars in await _compared_in(search.cold, search.query, part, low, high):
                        hits, chars = hits + more_hits, chars + more_chars
                yield sorted(hits, reverse=not ascending)
                blocks_read, found_hits = blocks_read + len(part), found_hits + len(hits)
                size = max(1, min(size * GROWTH, most, BATCH_CHARS * len(part) // max(1, chars)))
                if found_hits:
                    size = max(1, min(size, (limit - found_hits) * blocks_read // found_hits + 1))
                scan.reached = part[-1] * BLOCK_EVENTS + (BLOCK_EVENTS - 1 if ascending else 0)
                if scan.is_late and waiting:
                    return
            scan.reached = found.high * BLOCK_EVENTS - 1 if ascending else found.low * BLOCK_EVENTS
            if scan.is_late and (found.high < parts[-1][1] if ascending else found.low > parts[0][0]):
                return
        scan.ended = True

    async def _to_read(self, search: SearchScope, parts: Sequence[Range], ascending: bool) -> AsyncIterator[Blocks]:
        """Yield the blocks of these parts of the log that may have hits, in the order of the pass."""
        asked, ranges = wanted(search.query), search.ranges
        for low, high in parts if ascending else reversed(parts):
            async for found in self._candidates(asked, search.progress, low, high, ascending):
                yield found if ranges is None else found._replace(blocks=ranges.only(found.blocks))

    async def _compared(self, query: SearchQuery, blocks: Sequence[int], low: int, high: int) -> Compared:
        """Return the hits with low <= event id < high in these blocks."""
        comparison = EventComparison(query, self.dialect)
        source, values = self._events_of_blocks(blocks)
        # CROSS JOIN and `+` make SQLite look up the events of each block, and then their tasks.
        rows = await self._rows(
            f"SELECT {comparison.columns} FROM {source} CROSS JOIN tasks t WHERE t.task_id = e.task_id"
            f" AND +e.event_id >= ? AND +e.event_id < ? AND {self._counts_here} AND {comparison.where}",
            *(*values, low, high, *comparison.values),
        )
        return Compared(await comparison.hits(rows), comparison.size_of(rows))


async def _compared_in(
    cold: OtherLogs, query: SearchQuery, blocks: Sequence[int], low: int, high: int
) -> list[Compared]:
    return await cold.read(blocks, lambda view: view._compared(query, blocks, low, high), query)

"""One pass of a search over the log, from the newest event to the oldest or the other way round."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from typing import Protocol

from signalbox.store.events import Event
from signalbox.store.search import SearchQuery
from signalbox.store.search.documents import BLOCK_EVENTS, IndexedEvent, block_of
from signalbox.store.sql.searching.candidates import FIRST_BATCH, LAST_BATCH, CandidateViews
from signalbox.store.sql.searching.comparison import EventComparison, Hit, wanted

COLD_BATCH = 64
"""Blocks that are read together when tasks are in cold storage, because their files take longer."""


class Scan:
    """The progress of a pass that stops after some seconds.

    `ended` says that it has seen everything. `reached` is the event id up to which, or down to which, it has.
    """

    def __init__(self, seconds: float) -> None:
        self._until, self._seconds = time.monotonic() + seconds, seconds
        self.ended = False
        self.reached: int | None = None

    @property
    def is_half_over(self) -> bool:
        """Whether half of the time is over."""
        return time.monotonic() > self._until - self._seconds / 2

    @property
    def is_late(self) -> bool:
        """Whether the time is up."""
        return time.monotonic() > self._until


class OneLog(Protocol):
    """The reads of a search from the log of one task that is not in the database."""

    async def _compared(self, query: SearchQuery, blocks: Sequence[int], low: int, high: int) -> list[Hit]:
        """Return the hits with low <= event id < high in these blocks."""

    async def events_to_index(self, blocks: Sequence[int]) -> list[IndexedEvent]:
        """Return the facts of the events of these blocks."""

    async def events_at(self, task_id: str, seqs: Sequence[int]) -> list[Event]:
        """Return the events that have these seqs."""


class OtherLogs(Protocol):
    """Logs that are not in the database: see `ColdLogs`."""

    def views(self, blocks: Sequence[int], query: SearchQuery | None = None) -> AsyncIterator[OneLog]:
        """Yield the view of each task that may have events in these blocks."""


class ScanViews(CandidateViews):
    """Runs passes."""

    async def _scan(
        self,
        query: SearchQuery,
        scan: Scan,
        low: int,
        high: int,
        *,
        ascending: bool = False,
        cold: OtherLogs | None = None,
    ) -> AsyncGenerator[list[Hit]]:
        """Yield the hits with low <= event id < high in the order of the pass, in batches that may be empty.

        The pass stops when its time is up.
        """
        size, most = (FIRST_BATCH, LAST_BATCH) if cold is None else (FIRST_BATCH, COLD_BATCH)
        first, last = block_of(low), block_of(high - 1) + 1
        async for found in self._candidates(wanted(query), first, last, ascending):
            waiting = found.blocks
            while waiting:
                part, waiting = waiting[:size], waiting[size:]
                hits = await self._compared(query, part, low, high)
                if cold is not None:
                    async for view in cold.views(part, query):
                        hits += await view._compared(query, part, low, high)
                yield sorted(hits, reverse=not ascending)
                size = min(size * 2, most)
                scan.reached = part[-1] * BLOCK_EVENTS + (BLOCK_EVENTS - 1 if ascending else 0)
                if scan.is_late and waiting:
                    return
            scan.reached = found.high * BLOCK_EVENTS - 1 if ascending else found.low * BLOCK_EVENTS
            if scan.is_late and (found.high < last if ascending else found.low > first):
                return
        scan.ended = True

    async def _compared(self, query: SearchQuery, blocks: Sequence[int], low: int, high: int) -> list[Hit]:
        """Return the hits with low <= event id < high in these blocks."""
        comparison = EventComparison(query, self.dialect)
        source, values = self._events_of_blocks(blocks)
        # CROSS JOIN and `+` make SQLite look up the events of each block, and then their tasks.
        rows = await self._rows(
            f"SELECT {comparison.columns} FROM {source} CROSS JOIN tasks t WHERE t.task_id = e.task_id"
            f" AND +e.event_id >= ? AND +e.event_id < ? AND {self._counts_here} AND {comparison.where}",
            *(*values, low, high, *comparison.values),
        )
        return comparison.hits(rows)

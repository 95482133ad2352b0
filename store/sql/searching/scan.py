"""One pass of a search over the log, from the newest event to the oldest or the other way round."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator

from signalbox.store.search import SearchQuery
from signalbox.store.search.documents import BLOCK_EVENTS, block_of
from signalbox.store.sql.searching.candidates import FIRST_BATCH, LAST_BATCH, CandidateViews
from signalbox.store.sql.searching.comparison import EventComparison, Hit, wanted


class Scan:
    """The progress of a pass that stops after some seconds.

    `ended` says that it has seen everything. `reached` is the event id up to which, or down to which, it has.
    """

    def __init__(self, seconds: float) -> None:
        self._until = time.monotonic() + seconds
        self.ended = False
        self.reached: int | None = None

    @property
    def is_late(self) -> bool:
        """Whether the time is up."""
        return time.monotonic() > self._until


class ScanViews(CandidateViews):
    """Runs passes."""

    async def _scan(
        self, query: SearchQuery, scan: Scan, low: int, high: int, *, ascending: bool = False
    ) -> AsyncGenerator[list[Hit]]:
        """Yield the hits with low <= event id < high in the order of the pass, in batches that may be empty.

        The pass stops when its time is up.
        """
        comparison = EventComparison(query, self.dialect)
        size = FIRST_BATCH
        first, last = block_of(low), block_of(high - 1) + 1
        async for found in self._candidates(wanted(query), first, last, ascending):
            waiting = found.blocks
            while waiting:
                part, waiting = waiting[:size], waiting[size:]
                yield await self._compared(comparison, part, low, high, ascending)
                size = min(size * 2, LAST_BATCH)
                scan.reached = part[-1] * BLOCK_EVENTS + (BLOCK_EVENTS - 1 if ascending else 0)
                if scan.is_late and waiting:
                    return
            scan.reached = found.high * BLOCK_EVENTS - 1 if ascending else found.low * BLOCK_EVENTS
            if scan.is_late and (found.high < last if ascending else found.low > first):
                return
        scan.ended = True

    async def _compared(
        self, comparison: EventComparison, blocks: list[int], low: int, high: int, ascending: bool
    ) -> list[Hit]:
        source, values = self._events_of_blocks(blocks)
        rows = await self._rows(
            f"SELECT {comparison.columns} FROM {source} JOIN tasks t ON t.task_id = e.task_id"
            f" WHERE e.event_id >= ? AND e.event_id < ? AND {comparison.where}"
            f" ORDER BY e.event_id {'ASC' if ascending else 'DESC'}",
            *(*values, low, high, *comparison.values),
        )
        return comparison.hits(rows)

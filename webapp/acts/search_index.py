"""The state of the search index, which every process reports in health and metrics."""

from __future__ import annotations

import asyncio
import time

from signalbox.store import Store
from signalbox.store.loops import Loops, end_tasks, shared_pause
from signalbox.store.search.documents import BLOCK_EVENTS
from signalbox.store.search.results import MAX_TAIL, IndexWork
from signalbox.webapp.http.health import Problem

INTERVAL = 10.0
"""Seconds between two looks."""

LATE_SECONDS = 60.0
"""Seconds for which searches may miss the newest events before health warns."""


class SearchIndexState:
    """Looks at the index from time to time. `on` says whether the setting `search_index` wants an index.

    `behind` is the number of events that are not indexed yet, and `used` says whether searches use the index.
    """

    def __init__(self, store: Store, loops: Loops, *, on: bool, interval: float = INTERVAL) -> None:
        self._store, self._on, self._interval = store, on, interval
        self.behind, self.used = 0, False
        self._problem = ""
        self._late_since: float | None = None
        self._late_seconds = 0.0
        self._loop = loops.loop("search_index_state")
        self._task = asyncio.create_task(self._loop.run(self._turn), name="signalbox-search-index-state")

    async def stop(self) -> None:
        """Stop."""
        await end_tasks(self._task)

    async def _turn(self) -> None:
        async with self._store.glance() as view:
            self.take(await view.index_work(1), time.monotonic())
        await asyncio.sleep(shared_pause(self._interval))

    def take(self, work: IndexWork, at: float) -> None:
        """Take the present state of the index. `at` is the time in seconds."""
        self.used, self._problem = work.on, work.problem
        self.behind = max(0, work.end_block - work.next_block) * BLOCK_EVENTS
        is_late = work.on and self.behind > MAX_TAIL
        if not is_late:
            self._late_since = None
        elif self._late_since is None:
            self._late_since = at
        self._late_seconds = at - self._late_since if self._late_since is not None else 0.0

    def problems(self) -> list[Problem]:
        """Return the present faults as warnings for health."""
        if not self._on:
            return []
        if self._problem:
            message = f"the search over all runs has no index, so searches are slower: {self._problem}"
            return [Problem("search_index_missing", message)]
        if self._late_since is not None and self._late_seconds >= LATE_SECONDS:
            message = f"{self.behind:,} of the newest events are not in the search index yet, so searches miss them"
            return [Problem("search_index_behind", message)]
        return []

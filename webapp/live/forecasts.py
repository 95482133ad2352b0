"""The earlier runs from which pages forecast the next step: read once for all watched tasks of a kind and project."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress

from signalbox.store import Event, Reading, Store
from signalbox.store.state import Phase, Task
from signalbox.webapp.live.renderer import NotInMemory
from signalbox.webapp.live.shared_reads import SharedReads
from signalbox.webapp.views.forecast import CACHE_SECONDS, earlier_phases

MAX_KINDS = 1000
"""Kinds and projects whose earlier runs are kept."""

ENDS = frozenset({"runner_exit", "status"})
"""Types of events that may end a run."""


_Kept = tuple[float, int, list[list[Phase]]]
"""The time of a read, the value of `_changes` before it, and the phases."""

_NEVER: _Kept = (float("-inf"), -1, [])


class Forecasts:
    """The phases of earlier runs, by kind and project.

    They are read again when a run has ended since the last read, but at most every `CACHE_SECONDS` seconds.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._reads = SharedReads()
        self._kept: dict[tuple[str, str], _Kept] = {}
        self._changes = 0

    def on_commit(self, events: Sequence[Event]) -> None:
        """Record that earlier runs may have changed. An empty list may mean that a task was deleted."""
        if not events or any(event.event_type in ENDS for event in events):
            self._changes += 1

    async def known(self, task: Task) -> list[list[Phase]]:
        """Return the phases of the earlier runs of a task, as `earlier_phases` does. Raises NotInMemory."""
        if not task.kind or task.ended:
            return []
        read_at, changes, runs = self._kept.get((task.kind, task.project_id), _NEVER)
        if changes != self._changes and time.monotonic() - read_at >= CACHE_SECONDS:
            raise NotInMemory
        return runs

    async def load(self, task: Task) -> None:
        """Read the earlier runs of a task if they are not known. Raises StoreError."""
        with suppress(NotInMemory):
            await self.known(task)
            return

        async def read() -> None:
            async with self._store.read() as view:
                await self.read(view, task)

        await self._reads.wait((task.kind, task.project_id), read)

    async def read(self, view: Reading, task: Task) -> list[list[Phase]]:
        """Return the same as `known`, and read it if it is not known."""
        with suppress(NotInMemory):
            return await self.known(task)
        changes, runs = self._changes, await earlier_phases(view, task)
        self._kept[task.kind or "", task.project_id] = time.monotonic(), changes, runs
        if len(self._kept) > MAX_KINDS:
            del self._kept[next(iter(self._kept))]
        return runs

"""Finds the agent runs whose process has ended, so that another process follows them.

While there are active runs, one of the processes on the store looks for them. Each run also has a lease, which is held
by the process that follows it. So the process that looks waits for the leases of all runs that it does not follow.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable

from signalbox.store import Store, TaskQuery
from signalbox.store.leadership import Leadership
from signalbox.store.loops import Loop, shared_pause
from signalbox.store.state import ACTIVE_STATUSES, Status, Task
from signalbox.store.times import epoch_seconds

KIND = "agent"
UNFINISHED = (*ACTIVE_STATUSES, "interrupted")

LEASE = "signalbox:agents"
"""The name of the lease that makes one process look for runs."""

SCAN_SECONDS = 5.0
"""Seconds between two searches."""

OWN_SECONDS = 2.0
"""Age in seconds below which a queued run belongs to the process that created it and takes its lease next."""


def run_lease(store: Store, task: Task) -> Leadership:
    """Return the lease of an agent run: its holder relays the run, or is starting its command."""
    return Leadership(store, f"signalbox:agent-run:{task.identity}", forget=True)


class Adoption:
    """Calls `adopt` with unfinished runs. It must ignore those that this process follows already."""

    def __init__(self, store: Store, loop: Loop, adopt: Callable[[list[Task]], Awaitable[None]]) -> None:
        self._store, self._loop, self._adopt = store, loop, adopt
        self._statuses: tuple[Status, ...] = UNFINISHED

    async def run(self) -> None:
        """Look for runs until cancelled."""
        async with Leadership(self._store, LEASE) as leadership:
            while True:
                try:
                    await self._look(leadership)
                    self._loop.record_success()
                except Exception as error:
                    await self._loop.record_failure(error)
                await asyncio.sleep(shared_pause(SCAN_SECONDS))

    async def _look(self, leadership: Leadership) -> None:
        found = [task async for task in self._runs(self._statuses)]
        if not found:
            self._statuses = ACTIVE_STATUSES
            await leadership.release()
            return
        if not leadership.held:
            await leadership.acquire(self._loop.record_success)
            # Also find the runs that were already interrupted because their process ended.
            found = [task async for task in self._runs(UNFINISHED)]
        await self._adopt([task for task in found if not self._is_new(task)])
        self._statuses = ACTIVE_STATUSES

    def _is_new(self, task: Task) -> bool:
        age = time.time() + self._store.clock_offset - epoch_seconds(task.created_at)
        return task.status == "queued" and 0 <= age < OWN_SECONDS

    async def _runs(self, statuses: tuple[Status, ...]) -> AsyncIterator[Task]:
        before: str | None = None
        while True:
            query = TaskQuery(statuses=statuses, kind=KIND, before=before, limit=200)
            async with self._store.read() as view:
                page = await view.tasks(query)
            for task in page.tasks:
                yield task
            before = page.cursor
            if before is None:
                return

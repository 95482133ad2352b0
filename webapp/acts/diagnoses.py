"""Diagnoses the runs that failed before this version stored a fingerprint of their error, in the background."""

from __future__ import annotations

import asyncio

from signalbox.store import Store
from signalbox.store.loops import Loops, end_tasks

BATCH = 10
"""Runs per turn, the newest first."""

BUSY_PAUSE, IDLE_PAUSE = 0.5, 300.0
"""Seconds between two turns while there are such runs, and otherwise: another process may use an older version."""


class Diagnoses:
    """Diagnoses runs until there are none left. Several processes may do this on one store."""

    def __init__(self, store: Store, loops: Loops) -> None:
        self._store = store
        self._pause = BUSY_PAUSE
        self._tried: set[str] = set()
        self._loop = loops.loop("diagnoses")
        self._task = asyncio.create_task(self._loop.run(self._turn), name="signalbox-diagnoses")

    async def stop(self) -> None:
        """Stop."""
        await end_tasks(self._task)

    async def _turn(self) -> None:
        await self._loop.rest(self._pause)
        async with self._store.glance() as view:
            waiting = await view.undiagnosed(BATCH)
        for task_id in waiting:
            await self._store.adiagnose(task_id)
        # A run whose diagnosis cannot be stored stays in the list.
        self._pause = IDLE_PAUSE if self._tried.issuperset(waiting) else BUSY_PAUSE
        self._tried = set(waiting)

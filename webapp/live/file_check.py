"""Checks once a second that the database at the path is still the file that the store has open."""

from __future__ import annotations

import asyncio

from signalbox.store import Store
from signalbox.store.loops import Loops, end_tasks, shared_pause

TICK = 1.0
"""Seconds between two checks."""


class FileCheck:
    """Calls `Store.check` in the background. Without writes nothing else would notice a replaced file."""

    def __init__(self, store: Store, loops: Loops) -> None:
        self._store = store
        self._task = asyncio.create_task(loops.loop("file_check").run(self._check), name="signalbox-file-check")

    async def stop(self) -> None:
        """Stop checking."""
        await end_tasks(self._task)

    async def _check(self) -> None:
        await asyncio.sleep(shared_pause(TICK))
        await self._store.acheck()

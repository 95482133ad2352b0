"""The keeper: lets the store compare its open files with those at the path, once a second, whether or not it writes."""

from __future__ import annotations

import asyncio

from signalbox.store import Store
from signalbox.store.loops import Loops

TICK = 1.0
"""Seconds between two looks."""


class Keeper:
    """Looks after the files of a store."""

    def __init__(self, store: Store, loops: Loops) -> None:
        self._store = store
        self._task = asyncio.create_task(loops.loop("keeper").run(self._look), name="signalbox-keeper")

    async def stop(self) -> None:
        """Look no more."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _look(self) -> None:
        await asyncio.sleep(TICK)
        await asyncio.to_thread(self._store.check)

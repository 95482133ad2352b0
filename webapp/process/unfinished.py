"""What a command shows and may still change, on its way to the pages: a few times a second at most."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from signalbox.store.errors import StoreError, StoreUnavailable
from signalbox.store.log import Log
from signalbox.store.state import Unfinished

PACE = 0.25
"""Seconds between two looks."""

PATIENCE = 4
"""Looks in a row that are skipped while lines are being completed: the log moves then anyway."""

PAUSE = 2.0
"""Seconds to wait for a log that does not answer."""


class UnfinishedLines:
    """Sends what `read` gives to the log after each `changed()`, if it differs. `busy`: whether lines just came."""

    def __init__(self, log: Log, task_id: str, read: Callable[[], list[Unfinished]], busy: Callable[[], bool]) -> None:
        self._log, self._task_id, self._read, self._busy = log, task_id, read, busy
        self._changed = asyncio.Event()
        self._sent: list[Unfinished] = []
        self._task = asyncio.create_task(self._send(), name="signalbox-unfinished")

    def changed(self) -> None:
        """There may be something new."""
        self._changed.set()

    async def stop(self) -> None:
        """Send no more. The end of the run clears what was sent."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _send(self) -> None:
        skipped = 0
        while True:
            await self._changed.wait()
            self._changed.clear()
            await asyncio.sleep(PACE)
            if self._busy() and skipped < PATIENCE:
                skipped += 1
                self._changed.set()
                continue
            skipped, lines = 0, self._read()
            if lines == self._sent:
                continue
            try:
                await self._log.aset_unfinished(self._task_id, lines)
            except StoreUnavailable:
                self._changed.set()
                await asyncio.sleep(PAUSE)
            except StoreError:
                return  # an older server, or one that does not allow it
            else:
                self._sent = lines

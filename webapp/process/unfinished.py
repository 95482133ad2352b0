"""Sends a command's unfinished output to its task, at most a few times per second."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from signalbox.store.errors import StoreError, StoreMoved, StoreUnavailable
from signalbox.store.log import Log
from signalbox.store.state import Task, Unfinished

CHECK_INTERVAL_S = 0.25
"""Seconds between two checks."""

MAX_SKIPPED_CHECKS = 4
"""Maximum number of consecutive checks that are skipped while lines are logged, because the page changes anyway."""

RETRY_PAUSE_S = 2.0
"""Seconds before another attempt when the log does not answer."""


class UnfinishedLines:
    """Sends the result of `read` after `changed()`, if it differs. `busy` returns whether lines were just logged.

    `log` returns the present log of the run, which another one replaces when its store is moved.
    """

    def __init__(
        self, log: Callable[[], Log], task: Task, read: Callable[[], list[Unfinished]], busy: Callable[[], bool]
    ) -> None:
        self._log, self._task, self._read, self._busy = log, task, read, busy
        self._changed = asyncio.Event()
        self._sent: list[Unfinished] = []
        self._sending = asyncio.create_task(self._send(), name="signalbox-unfinished")

    def changed(self) -> None:
        """Schedule a check, because the output may have changed."""
        self._changed.set()

    async def stop(self) -> None:
        """Stop sending. The end of the run clears the unfinished output."""
        self._sending.cancel()
        await asyncio.gather(self._sending, return_exceptions=True)

    async def _send(self) -> None:
        task, skipped = self._task, 0
        while True:
            await self._changed.wait()
            self._changed.clear()
            await asyncio.sleep(CHECK_INTERVAL_S)
            if self._busy() and skipped < MAX_SKIPPED_CHECKS:
                skipped += 1
                self._changed.set()
                continue
            skipped, lines = 0, self._read()
            if lines == self._sent:
                continue
            try:
                await self._log().aset_unfinished(task.task_id, lines, identity=task.identity or None)
            except (StoreUnavailable, StoreMoved):
                self._changed.set()
                await asyncio.sleep(RETRY_PAUSE_S)
            except StoreError:
                return  # The task was deleted, or the server is too old or does not allow this.
            else:
                self._sent = lines

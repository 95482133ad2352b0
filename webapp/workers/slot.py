"""The place of one worker, which holds one ready process: it starts another one when that one ends, or on request."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from signalbox.webapp.workers.child import Child, StartFailed

STABLE_S = 10.0
"""Seconds that a worker must live so that its successor is started at once."""

FIRST_PAUSE_S, MAX_PAUSE_S = 0.5, 30.0
"""Seconds before a worker is started again after its second short life in a row, and the maximum."""

log = structlog.get_logger("signalbox.workers")


class Slot:
    """The worker number `number`. `start` starts a process, and `on_change` is called when a field has changed.

    `child` is the ready process, or None. `restarts` counts the processes that ended on their own. `failures` counts
    the starts in a row that failed, and `reason` is the reason of the last one.
    """

    def __init__(
        self, number: int, start: Callable[[int], Awaitable[Child]], on_change: Callable[[], None], drain_timeout: float
    ) -> None:
        self.number = number
        self.child: Child | None = None
        self.restarts = self.failures = 0
        self.reason = ""
        self.processes: set[Child] = set()
        self._start, self._on_change, self._drain_timeout = start, on_change, drain_timeout
        self._changing = asyncio.Lock()
        self._replaced = asyncio.Event()
        self._short_lives = 0

    async def keep(self) -> None:
        """Keep a process in this place until the asyncio task is cancelled."""
        while True:
            child = self.child
            if child is None:
                await self._start_again()
                continue
            how = await self._ended_or_replaced(child)
            # While a restart is replacing this process, wait for the result.
            async with self._changing:
                if how is not None and self.child is child:
                    self.child = None
                    self.restarts += 1
                    self._short_lives = 0 if child.age >= STABLE_S else self._short_lives + 1
                    log.warning("a worker ended", worker=self.number, pid=child.pid, how=how)
                    self._on_change()

    async def replace(self) -> None:
        """Start another process, and let the present one finish once that is ready. Raises StartFailed."""
        async with self._changing:
            old = self.child
            if old is None:
                return  # `keep` is starting one.
            self.child = await self._ready_process()
            self._replaced.set()
        self._on_change()
        await old.stop(self._drain_timeout, stopping=False)
        self.processes.discard(old)

    async def _ended_or_replaced(self, child: Child) -> str | None:
        """Wait until the process has ended, and return how. Return None once another one has taken its place."""
        ended, replaced = asyncio.create_task(child.ended()), asyncio.create_task(self._replaced.wait())
        try:
            await asyncio.wait({ended, replaced}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            ended.cancel()
            replaced.cancel()
            self._replaced.clear()
        if not ended.done():
            return None
        self.processes.discard(child)
        return ended.result()

    async def _start_again(self) -> None:
        short = max(self._short_lives, self.failures)
        if short > 1:
            await asyncio.sleep(min(FIRST_PAUSE_S * 2 ** (short - 2), MAX_PAUSE_S))
        try:
            async with self._changing:
                self.child = await self._ready_process()
        except StartFailed as error:
            self.failures, self.reason = self.failures + 1, str(error)
            log.error("a worker cannot start", worker=self.number, reason=self.reason)
        self._on_change()

    async def _ready_process(self) -> Child:
        try:
            child = await self._start(self.number)
        except OSError as error:
            raise StartFailed(f"it cannot be started: {error.strerror}") from error
        self.processes.add(child)
        try:
            await child.ready()
        except StartFailed:
            self.processes.discard(child)
            raise
        self.failures = 0
        log.info("a worker is ready", worker=self.number, pid=child.pid)
        return child

"""Ending a command: politely, then firmly."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import suppress


class Stopper:
    """Sends signals to a command's process group until it is gone: the first one, SIGTERM, SIGKILL, `grace` apart.

    A second request does not wait for the grace to pass. One that comes before the command is there waits for it.
    """

    def __init__(self, grace: float) -> None:
        self._grace = grace
        self._pid: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._hurry = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.cause: str | None = None
        self.timed_out = False

    def attach(self, pid: int) -> None:
        """The command is there; `pid` leads its process group."""
        self._pid.set_result(pid)

    def stop(self, first: signal.Signals, cause: str) -> None:
        """Begin to end the command, or go on faster."""
        if self._task is None:
            self.cause = cause
            self._task = asyncio.create_task(self._escalate(first), name="signalbox-stopper")
        else:
            self._hurry.set()

    def time_out(self, limit: float) -> None:
        """The command has had its `limit` seconds."""
        self.timed_out = self.timed_out or self._task is None
        self.stop(signal.SIGTERM, f"stopped after its time limit of {limit:g} s")

    def send(self, number: int) -> None:
        """Send a signal to all of the command's processes that are left."""
        if self._pid.done():
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self._pid.result(), number)

    async def finish(self) -> None:
        """The command is gone: end with it what it left behind, if it was to be stopped."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self.send(signal.SIGKILL)

    async def _escalate(self, first: signal.Signals) -> None:
        await self._pid
        steps = [first] if first == signal.SIGTERM else [first, signal.SIGTERM]
        for number in steps:
            self.send(number)
            with suppress(TimeoutError):
                async with asyncio.timeout(self._grace):
                    await self._hurry.wait()
            self._hurry.clear()
        self.send(signal.SIGKILL)

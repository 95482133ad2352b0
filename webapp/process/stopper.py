"""Stops a command: first with a signal that it can handle, finally with SIGKILL."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import suppress


class Stopper:
    """Sends signals to a command's process group until it ends: a first one, SIGTERM, SIGKILL, `grace` seconds apart.

    A second request sends the next signal at once. A request before the command has started waits for its start.
    """

    def __init__(self, grace: float) -> None:
        self._grace = grace
        self._pid: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._hurry = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.cause: str | None = None
        self.timed_out = False

    def attach(self, pid: int) -> None:
        """Record that the command has started; `pid` is the leader of its process group."""
        self._pid.set_result(pid)

    def stop(self, first: signal.Signals, cause: str) -> None:
        """Start to stop the command, or send the next signal now."""
        if self._task is None:
            self.cause = cause
            self._task = asyncio.create_task(self._escalate(first), name="signalbox-stopper")
        else:
            self._hurry.set()

    def time_out(self, limit: float) -> None:
        """Stop the command because its time limit of `limit` seconds is over."""
        self.timed_out = self.timed_out or self._task is None
        self.stop(signal.SIGTERM, f"stopped after its time limit of {limit:g} s")

    def send(self, number: int) -> None:
        """Send a signal to all processes of the command that still run."""
        if self._pid.done():
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self._pid.result(), number)

    async def finish(self) -> None:
        """Record that the command has ended. If it was being stopped, also kill the processes that it left behind."""
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

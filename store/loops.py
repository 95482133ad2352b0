"""Background loops, which repeat a coroutine until the process ends. A loop survives its errors and reports them.

    loops = Loops()
    task = asyncio.create_task(loops.loop("tail").run(turn), name="signalbox-tail")

A turn that raises is logged, counted and retried after a pause that grows from 1 to 30 s.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, NoReturn

from signalbox.store.errors import StoreError

log = logging.getLogger("signalbox.loops")

FIRST_PAUSE, MAX_PAUSE = 1.0, 30.0
"""Seconds until a failed turn is retried: the first time, and at most."""

STEP = 1.0
"""Seconds between the moments at which the loops of a process wake."""

CANCEL_AGAIN = 5.0
"""Seconds after which a task that is to end is cancelled again. Within them, it may finish what must be finished."""


class Loop:
    """A background loop. `failures` counts the failed turns. `last_error` is the error of the last turn, or None.

    A failed turn is retried after 1 s, then after growing pauses of at most `max_pause` seconds.
    """

    def __init__(self, name: str, *, max_pause: float = MAX_PAUSE) -> None:
        self.name = name
        self._max_pause = max_pause
        self.failures = 0
        self.last_error: str | None = None
        self._pause = FIRST_PAUSE

    async def run(
        self, turn: Callable[[], Awaitable[object]], on_failure: Callable[[], object] = lambda: None
    ) -> NoReturn:
        """Await `turn()` forever. Each turn must wait for something. Ends only when its asyncio task is cancelled.

        `on_failure` is called after each failed turn.
        """
        task = asyncio.current_task()
        assert task is not None
        while True:
            failure: BaseException | None = None
            try:
                await turn()
            except asyncio.CancelledError as error:
                # Without a cancellation of this loop, the turn awaited something that was cancelled.
                failure = error
            except Exception as error:
                failure = error
            if task.cancelling():
                # The turn may have ended in another way at the same moment, for example with an answer.
                raise asyncio.CancelledError
            if failure is None:
                self.record_success()
            else:
                await self.record_failure(failure, on_failure)

    async def rest(self, seconds: float) -> None:
        """Sleep before the work of a turn, for the `shared_pause` of `seconds`.

        After a failed turn this returns at once: the loop has paused then, and counts as failing until a turn succeeds.
        """
        if self.last_error is None:
            await asyncio.sleep(shared_pause(seconds))

    def record_success(self) -> None:
        """Record that a turn succeeded."""
        if self.last_error is not None:
            self.last_error, self._pause = None, FIRST_PAUSE
            report(logging.INFO, "a background loop works again", None, loop=self.name)

    async def record_failure(self, error: BaseException, on_failure: Callable[[], object] = lambda: None) -> None:
        """Record that a turn raised `error`, and wait until the next turn is due: always 1 s after a StoreError."""
        self.failures += 1
        first, self.last_error = self.last_error is None, str(error) or type(error).__name__
        expected = isinstance(error, StoreError)
        if first:
            level, trace = (logging.WARNING, None) if expected else (logging.ERROR, error)
            report(level, "a background loop failed; it is tried again", trace, loop=self.name, error=self.last_error)
        try:
            on_failure()
        except Exception as failure:
            report(logging.ERROR, "the failure handler of a background loop failed", failure, loop=self.name)
        pause = FIRST_PAUSE if expected else self._pause
        self._pause = min(2 * pause, self._max_pause)
        await asyncio.sleep(pause)


class Loops:
    """The background loops of a process, by name."""

    def __init__(self) -> None:
        self._loops: dict[str, Loop] = {}

    def loop(self, name: str, *, max_pause: float = MAX_PAUSE) -> Loop:
        """Return the loop with this name. The first call creates it."""
        if name not in self._loops:
            self._loops[name] = Loop(name, max_pause=max_pause)
        return self._loops[name]

    def __iter__(self) -> Iterator[Loop]:
        return iter(self._loops.values())


def shared_pause(seconds: float) -> float:
    """Return how long to sleep instead of `seconds`, so that the loops of a process wake together.

    A processor that wakes for one loop runs the others at a fraction of the cost. The result is at most 1 s shorter and
    at most an eighth longer. Pauses below 1 s stay as they are. Other processes wake at other moments, so that they do
    not wait for each other's writes.
    """
    if seconds < STEP:
        return seconds
    phase = os.getpid() % 16 / 16
    pause = seconds - (asyncio.get_running_loop().time() + seconds + phase) % STEP
    return pause if pause >= seconds / 8 else pause + STEP


async def end_tasks(*tasks: asyncio.Task[Any] | None) -> None:
    """Cancel tasks, and wait until they have ended. Their results and errors are dropped.

    A task that goes on is cancelled again, because a cancellation can be lost in the code that it interrupts:
    `asyncio.wait_for` loses one in Python 3.11 (https://github.com/python/cpython/issues/86296).
    """
    running = {task for task in tasks if task is not None}
    while running:
        for task in running:
            task.cancel()
        ended, running = await asyncio.wait(running, timeout=CANCEL_AGAIN)
        for task in ended:
            if not task.cancelled():
                task.exception()  # so that asyncio does not report it


def report(level: int, message: str, exception: BaseException | None, /, **fields: object) -> None:
    """Log a message of a background loop; a server adds `fields` to its structured log."""
    text = ", ".join(f"{name}={value}" for name, value in fields.items())
    log.log(level, "%s: %s", message, text, exc_info=exception, extra=fields)

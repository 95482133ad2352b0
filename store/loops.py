"""Background loops: what a process repeats until it ends. A loop survives its errors, and reports them.

    loops = Loops()
    task = asyncio.create_task(loops.loop("tail").run(turn), name="signalbox-tail")

A turn that raises is logged, counted and tried again after a pause that grows from 1 to 30 s.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator
from typing import NoReturn

from signalbox.store.errors import StoreError

log = logging.getLogger("signalbox.loops")

FIRST_PAUSE, LONGEST_PAUSE = 1.0, 30.0
"""Seconds until a turn that raised is tried again: the first time, and at most."""


class Loop:
    """One eternal loop. `failures` counts its turns that raised; `failing` is why the last turn did, None if not.

    A turn that raised is tried again after 1 s, then after longer pauses, `longest_pause` seconds at most.
    """

    def __init__(self, name: str, *, longest_pause: float = LONGEST_PAUSE) -> None:
        self.name = name
        self._longest = longest_pause
        self.failures = 0
        self.failing: str | None = None
        self._pause = FIRST_PAUSE

    async def run(
        self, turn: Callable[[], Awaitable[object]], on_failure: Callable[[], object] = lambda: None
    ) -> NoReturn:
        """Await `turn()` for ever; each turn must wait for something. Ends only when its task is cancelled.

        `on_failure` is called after each turn that failed.
        """
        while True:
            try:
                await turn()
            except asyncio.CancelledError as error:
                task = asyncio.current_task()
                if task is None or task.cancelling():
                    raise
                # Something that the turn awaited was cancelled, and not this loop.
                await self.failed(error, on_failure)
            except Exception as error:
                await self.failed(error, on_failure)
            else:
                self.worked()

    def worked(self) -> None:
        """Return a turn went well."""
        if self.failing is not None:
            self.failing, self._pause = None, FIRST_PAUSE
            report(logging.INFO, "a background loop works again", None, loop=self.name)

    async def failed(self, error: BaseException, on_failure: Callable[[], object] = lambda: None) -> None:
        """Return a turn raised `error`: note it, and return when the next turn is due. The store's own errors mean 1 s."""
        self.failures += 1
        first, self.failing = self.failing is None, str(error) or type(error).__name__
        expected = isinstance(error, StoreError)
        if first:
            level, trace = (logging.WARNING, None) if expected else (logging.ERROR, error)
            report(level, "a background loop failed; it is tried again", trace, loop=self.name, error=self.failing)
        try:
            on_failure()
        except Exception as failure:
            report(logging.ERROR, "the failure handler of a background loop failed", failure, loop=self.name)
        pause = FIRST_PAUSE if expected else self._pause
        self._pause = min(2 * pause, self._longest)
        await asyncio.sleep(pause)


class Loops:
    """The eternal loops of a process, by name."""

    def __init__(self) -> None:
        self._loops: dict[str, Loop] = {}

    def loop(self, name: str, *, longest_pause: float = LONGEST_PAUSE) -> Loop:
        """Return the loop of this name, made by the first call. Loops of one name count together."""
        if name not in self._loops:
            self._loops[name] = Loop(name, longest_pause=longest_pause)
        return self._loops[name]

    def __iter__(self) -> Iterator[Loop]:
        return iter(self._loops.values())


def report(level: int, message: str, exception: BaseException | None, /, **fields: object) -> None:
    """Log a message of a background loop; a server adds `fields` to its structured log."""
    text = ", ".join(f"{name}={value}" for name, value in fields.items())
    log.log(level, "%s: %s", message, text, exc_info=exception, extra=fields)

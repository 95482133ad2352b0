"""Reads of the store that callers at the same time share."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any


class SharedReads:
    """The reads that are under way, by key."""

    def __init__(self) -> None:
        self._tasks: dict[object, asyncio.Task[None]] = {}

    async def wait(self, key: object, read: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Call `read`, or wait for the call with the same key that is under way. Raises its error."""
        task = self._tasks.get(key)
        if task is None:
            task = self._tasks[key] = asyncio.create_task(read())
            task.add_done_callback(lambda done: self._done(key, done))
        # A caller that is cancelled must not cancel the read of the others.
        await asyncio.shield(task)

    def _done(self, key: object, task: asyncio.Task[None]) -> None:
        del self._tasks[key]
        if not task.cancelled():
            # Retrieve the error, so that asyncio does not report it if all callers are gone.
            task.exception()

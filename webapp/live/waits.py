"""Requests that wait for new events of some tasks, such as `GET /api/wait`."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

from signalbox.store import Event


class Waits:
    """The waiting requests of a process, by task. A wake carries no data: the request reads the store again."""

    def __init__(self) -> None:
        self._waiting: dict[str, set[asyncio.Event]] = {}
        self._callers: Counter[str | None] = Counter()
        self.closed = False

    def deliver(self, events: Sequence[Event]) -> None:
        """Wake the requests that wait for the tasks of these events."""
        if self._waiting:
            for task_id in {event.task_id for event in events}:
                for woken in self._waiting.get(task_id, ()):
                    woken.set()

    def wake_all(self) -> None:
        """Wake all requests, because the store may have changed in another way."""
        for waiting in self._waiting.values():
            for woken in waiting:
                woken.set()

    def close(self) -> None:
        """Wake all requests and let no other one wait, because the server stops."""
        self.closed = True
        self.wake_all()

    def count(self, caller: str | None) -> int:
        """Return how many requests of a caller wait; 0 for the local user, who has no limit."""
        return self._callers[caller] if caller else 0

    @contextmanager
    def waiting(self, caller: str | None, tasks: Sequence[str]) -> Iterator[Wait]:
        """Register a request of `caller` that waits for `tasks`. Register it before its first read of the store."""
        woken, watched = asyncio.Event(), set(tasks)
        self._callers[caller] += 1
        for task_id in watched:
            self._waiting.setdefault(task_id, set()).add(woken)
        try:
            yield Wait(self, woken)
        finally:
            self._callers -= Counter([caller])
            for task_id in watched:
                self._waiting[task_id].discard(woken)
                if not self._waiting[task_id]:
                    del self._waiting[task_id]


class Wait:
    """One waiting request."""

    def __init__(self, waits: Waits, woken: asyncio.Event) -> None:
        self._waits, self._woken = waits, woken

    @property
    def closed(self) -> bool:
        """Whether the server stops, so that the request should be answered now."""
        return self._waits.closed

    async def next(self, seconds: float) -> None:
        """Return when one of the tasks has a new event, or after `seconds`."""
        if not self.closed:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._woken.wait(), seconds)
            self._woken.clear()

"""What runs and commands need of a log, wherever it is: in a store on this machine, or behind a server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Any, Protocol, cast

from store.contract import Store
from store.errors import StoreError
from store.events import Event, NewEvent
from store.state import Task
from store.tail import follow

RETRY_PAUSE = 0.5
"""Seconds between two looks at a store that does not answer."""


class Log(Protocol):
    """Creates tasks and appends to them: a `Store`, or a `RemoteLog`."""

    def create_task(
        self,
        task_id: str | None = None,
        *,
        title: str | None = None,
        kind: str | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> tuple[Task, bool]: ...
    async def acreate_task(
        self,
        task_id: str | None = None,
        *,
        title: str | None = None,
        kind: str | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> tuple[Task, bool]: ...
    def append(self, task_id: str, events: NewEvent | Sequence[NewEvent]) -> list[Event]: ...
    async def aappend(self, task_id: str, events: NewEvent | Sequence[NewEvent]) -> list[Event]: ...
    async def aclose(self) -> None: ...


async def events_of(log: Log, task_id: str, *, since_seq: int = 0) -> AsyncGenerator[Event]:
    """One task's events after `since_seq`, then those that come: each once, in order, whatever breaks meanwhile.

    Raises UnknownTask, and whatever else no retry can heal.
    """
    if hasattr(log, "atail"):
        async with aclosing(log.atail(task_id, since_seq=since_seq)) as events:
            async for event in events:
                yield event
        return
    cursor = since_seq
    while True:
        try:
            following = cast(AsyncGenerator[Event], follow(cast(Store, log), task_id, since_seq=cursor))
            async with aclosing(following) as events:
                async for event in events:
                    cursor = event.seq
                    yield event
        except StoreError as error:
            if not error.retryable:
                raise
            await asyncio.sleep(RETRY_PAUSE)


async def task_of(log: Log, task_id: str) -> Task:
    """How a task stands. Raises UnknownTask."""
    if hasattr(log, "atask"):
        task: Task = await log.atask(task_id)
        return task
    async with cast(Store, log).read() as view:
        return await view.task(task_id)

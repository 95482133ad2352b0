"""Questions of coding agents to people: a permission request in the session's task, and the wait for its answer."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from datetime import timedelta
from functools import partial
from typing import Any

from signalbox.store import Event, NewEvent, Store, StoreError, UnknownTask
from signalbox.store.errors import NotFound
from signalbox.store.permissions import Permission
from signalbox.store.times import after
from signalbox.webapp.http.refusals import TooManyStreams

MAX_WAITING = 2000
"""Questions that wait in one process."""

CHECK_SECONDS = 5.0
"""Seconds between two reads of a request while no event about it arrives."""

CANCELLED = "cancelled"
"""The cause of a request of a session that a person cancelled meanwhile."""

ANSWERED_ELSEWHERE = "answered_elsewhere"
"""The cause of a request that the agent's own prompt answered."""


class AgentQuestions:
    """The questions that wait in this process. Answers of other processes arrive through the tail."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._waiting: dict[str, list[asyncio.Event]] = {}
        self._number = 0
        self._background: set[asyncio.Task[None]] = set()

    def on_commit(self, events: Sequence[Event]) -> None:
        """Wake the questions of the tasks that these events belong to."""
        if self._waiting:
            for task_id in {event.task_id for event in events if event.event_type != "log"}:
                for woken in self._waiting.get(task_id, ()):
                    woken.set()

    async def ask(self, task_id: str, request: NewEvent, seconds: float, *, identity: str) -> Permission | None:
        """Append a permission request and wait until it is closed, at most `seconds`. Return it as closed.

        None if the task is gone. When the wait is cancelled, because the agent hung up, the request is closed too.
        Raises TooManyStreams and StoreError.
        """
        if self._number >= MAX_WAITING:
            raise TooManyStreams
        woken = asyncio.Event()
        self._waiting.setdefault(task_id, []).append(woken)
        self._number += 1
        try:
            return await self._ask(task_id, request, seconds, identity, woken)
        finally:
            self._number -= 1
            self._waiting[task_id].remove(woken)
            if not self._waiting[task_id]:
                del self._waiting[task_id]

    async def close_request(
        self, task_id: str, request_id: str, span_id: str, cause: str, message: str, *, identity: str
    ) -> None:
        """Close a request of this very task without an answer. Does nothing if it is closed, or the task is gone."""
        payload = {"request_id": request_id, "cause": cause, "message": message}
        event = NewEvent(event_type="permission_cleared", span_id=span_id, payload=payload)
        with suppress(UnknownTask):
            async with self._store.glance() as view:
                permission = await view.permission(task_id, request_id)
            if permission is not None and permission.state == "open":
                await self._store.aappend(task_id, event, identity=identity)

    async def _ask(
        self, task_id: str, request: NewEvent, seconds: float, identity: str, woken: asyncio.Event
    ) -> Permission | None:
        request_id, span_id = request.payload["request_id"], request.span_id or ""
        deadline = asyncio.get_running_loop().time() + seconds
        expires_at = after(timedelta(seconds=seconds), self._store.clock_offset)
        payload = {**request.payload, "expires_at": expires_at}
        asked = NewEvent(
            event_type="permission_request",
            span_id=request.span_id,
            parent_span_id=request.parent_span_id,
            payload=payload,
            key=request.key,
        )
        append = asyncio.ensure_future(self._store.aappend(task_id, asked, identity=identity))
        close = partial(self.close_request, task_id, request_id, span_id, identity=identity)
        try:
            await asyncio.shield(append)
            while True:
                woken.clear()
                permission = await self._read(task_id, request_id)
                left = deadline - asyncio.get_running_loop().time()
                if permission is None or permission.state != "open":
                    return permission
                if await self._is_cancelled(task_id):
                    await close(CANCELLED, "the session was cancelled")
                    return await self._read(task_id, request_id)
                if left <= 0:
                    await close("expired", "nobody answered here in time")
                    return await self._read(task_id, request_id)
                with suppress(TimeoutError):
                    await asyncio.wait_for(woken.wait(), min(left, CHECK_SECONDS))
        except asyncio.CancelledError:
            self._in_background(_withdraw(append, close))
            raise

    async def _is_cancelled(self, task_id: str) -> bool:
        async with self._store.glance() as view:
            return (await view.task(task_id)).cancel_requested

    async def _read(self, task_id: str, request_id: str) -> Permission | None:
        with suppress(NotFound):
            async with self._store.glance() as view:
                return await view.permission(task_id, request_id)
        return None

    def _in_background(self, work: Any) -> None:
        task = asyncio.create_task(_quietly(work), name="signalbox-agent-question")
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    async def close(self) -> None:
        """Wait for the requests that are being closed."""
        if self._background:
            await asyncio.wait(self._background, timeout=1.0)


async def _withdraw(append: asyncio.Future[Any], close: Callable[[str, str], Awaitable[None]]) -> None:
    # An append that has begun cannot be taken back, and until it ends there is nothing to close.
    await asyncio.wait({append})
    await close(ANSWERED_ELSEWHERE, "the agent no longer waits for an answer here")


async def _quietly(work: Any) -> None:
    # The supervisor closes a request that this could not close, when it expires.
    with suppress(StoreError):
        await work

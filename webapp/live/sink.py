"""The sink: where one stream's bytes go. Below the framework's response machinery, on ASGI's `send` itself."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Generator
from typing import Any

import structlog

logger = structlog.get_logger("signalbox.live")

Send = Callable[[Any], Coroutine[Any, Any, None]]


class Sink:
    """Writes chunks to one client. At most one chunk waits for a reader that does not take it."""

    __slots__ = ("_on_free", "_on_lost", "_pending", "_send", "stalled_since", "written_at")

    def __init__(self, send: Send, on_free: Callable[[], None], on_lost: Callable[[], None]) -> None:
        self._send = send
        self._on_free = on_free
        self._on_lost = on_lost
        self._pending: asyncio.Task[None] | None = None
        self.stalled_since: float | None = None
        self.written_at = time.monotonic()

    def offer(self, chunk: bytes) -> bool:
        """Write `chunk`. False: the client is slow; the chunk is taken all the same and `on_free` says when it is out.

        A client that cannot be written to at all is told by `on_lost`.

        A server's `send` rarely has to wait, so its coroutine is stepped here once, without the task switch that
        makes up a third of the cost of a small write. If it does have to wait, a task takes it over.
        """
        self.written_at = time.monotonic()
        sending = self._send({"type": "http.response.body", "body": chunk, "more_body": True})
        try:
            waits_for = sending.send(None)
        except StopIteration:
            return True
        except Exception as error:
            self._lose(error)
            return False
        self.stalled_since = self.written_at
        self._pending = asyncio.ensure_future(self._finish(sending, waits_for))
        return False

    async def _finish(self, sending: Coroutine[Any, Any, None], waits_for: Any) -> None:
        try:
            await _Resumed(sending, waits_for)
        except Exception as error:
            self._lose(error)
            return
        self.stalled_since = None
        self._pending = None
        self._on_free()

    def _lose(self, error: Exception) -> None:
        # One client's trouble must not end the flush that serves the others.
        if not isinstance(error, OSError):
            logger.warning("a stream cannot be written to", error=repr(error))
        self._on_lost()

    async def drained(self) -> None:
        """Return when no chunk waits any more."""
        if self._pending:
            await self._pending

    def cancel(self) -> None:
        """Give up on a chunk that waits."""
        if self._pending:
            self._pending.cancel()
            self._pending = None


class _Resumed:
    """An awaitable that goes on with a coroutine which was already stepped and yielded `waits_for`."""

    def __init__(self, coroutine: Coroutine[Any, Any, None], waits_for: Any) -> None:
        self._coroutine = coroutine
        self._waits_for = waits_for

    def __await__(self) -> Generator[Any, Any, None]:
        try:
            value = yield self._waits_for
        except BaseException as error:
            self._coroutine.throw(error)
            raise
        try:
            while True:
                value = yield self._coroutine.send(value)
        except StopIteration:
            return

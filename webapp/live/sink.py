"""The sink: where one stream's bytes go. At most one chunk waits for a reader that does not take it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from typing import Any

import structlog
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from webapp.live.chunk import Chunk, framing

logger = structlog.get_logger("signalbox.live")

Send = Callable[[Any], Coroutine[Any, Any, None]]
Direct = tuple[FlowControl, Callable[[bytes], None]]
"""How to write framed bytes without a word in between: only while the flow is not paused."""


class Sink:
    """Writes through ASGI's `send`: works on any server and for WebSockets; each write is a task."""

    __slots__ = ("_on_free", "_on_lost", "_pending", "_send", "direct", "stalled_since")

    direct: Direct | None

    def __init__(self, send: Send, on_free: Callable[[], None], on_lost: Callable[[], None]) -> None:
        self._send = send
        self._on_free = on_free
        self._on_lost = on_lost
        self._pending: asyncio.Task[None] | None = None
        self.stalled_since: float | None = None
        self.direct = None

    def offer(self, words: bytes) -> bool:
        """Take `words`. True: they are written. False: they wait for the reader, and `on_free` says when they are out.

        A client that cannot be written to at all is told by `on_lost`.
        """
        self.stalled_since = time.monotonic()
        self._pending = asyncio.ensure_future(self._finish(words))
        return False

    def put(self, chunk: Chunk) -> bool:
        """`offer` a chunk as it is."""
        return self.offer(chunk.body)

    async def _finish(self, words: bytes) -> None:
        try:
            await self._send({"type": "http.response.body", "body": words, "more_body": True})
        except Exception as error:
            # One client's trouble must not end the flush that serves the others.
            if not isinstance(error, OSError):
                logger.warning("a stream cannot be written to", error=repr(error))
            self._on_lost()
            return
        self.stalled_since = self._pending = None
        self._on_free()

    async def drained(self) -> None:
        """Return when no chunk waits any more."""
        if self._pending:
            await self._pending

    def cancel(self) -> None:
        """Give up on a chunk that waits."""
        if self._pending:
            self._pending.cancel()
            self._pending = None


class TransportSink(Sink):
    """Writes to the connection's transport, below `send`: the bytes of a chunk are framed once for all its streams.

    A write costs half as much this way. While the transport is over its high-water mark it is left alone: the chunk
    goes through `send`, which waits.
    """

    __slots__ = ("_cycle", "_flow", "_write")

    def __init__(
        self, send: Send, cycle: RequestResponseCycle, on_free: Callable[[], None], on_lost: Callable[[], None]
    ) -> None:
        super().__init__(send, on_free, on_lost)
        self._cycle = cycle
        self._flow = cycle.flow
        self._write = cycle.transport.write
        self.direct = (self._flow, self._write)

    def offer(self, words: bytes) -> bool:
        if self._flow.write_paused:
            return super().offer(words)
        if words:
            self._write_now(framing(words))
        return True

    def put(self, chunk: Chunk) -> bool:
        if self._flow.write_paused:
            return super().offer(chunk.body)
        self._write_now(chunk.framed)
        return True

    def _write_now(self, framed: bytes) -> None:
        if self._cycle.disconnected:
            return
        try:
            self._write(framed)
        except RuntimeError:
            # uvloop: the connection was closed, and we are to hear of it in its next turn.
            self._on_lost()


def sink_for(send: Send, on_free: Callable[[], None], on_lost: Callable[[], None]) -> Sink:
    """The best sink for a response whose head has been sent by `send`."""
    cycle = getattr(send, "__self__", None)
    if isinstance(cycle, RequestResponseCycle) and cycle.chunked_encoding and not cycle.response_complete:
        return TransportSink(send, cycle, on_free, on_lost)
    return Sink(send, on_free, on_lost)

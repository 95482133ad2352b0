"""The sink: where one stream's bytes go. At most one chunk waits for a reader that does not take it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from typing import Any

import structlog
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

logger = structlog.get_logger("signalbox.live")

Send = Callable[[Any], Coroutine[Any, Any, None]]


class Sink:
    """Writes through ASGI's `send`: works on any server and for WebSockets; each write is a task."""

    __slots__ = ("_on_free", "_on_lost", "_pending", "_send", "stalled_since")

    def __init__(self, send: Send, on_free: Callable[[], None], on_lost: Callable[[], None]) -> None:
        self._send = send
        self._on_free = on_free
        self._on_lost = on_lost
        self._pending: asyncio.Task[None] | None = None
        self.stalled_since: float | None = None

    def offer(self, chunk: bytes, framed: bytes | None = None) -> bool:
        """Take `chunk`. True: it is written. False: it waits for the reader, and `on_free` says when it is out.

        `framed` is the same chunk in HTTP/1.1's chunked coding, if the caller has it. A client that cannot be written
        to at all is told by `on_lost`.
        """
        self.stalled_since = time.monotonic()
        self._pending = asyncio.ensure_future(self._write(chunk))
        return False

    async def _write(self, chunk: bytes) -> None:
        try:
            await self._send({"type": "http.response.body", "body": chunk, "more_body": True})
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

    __slots__ = ("_cycle",)

    def __init__(
        self, send: Send, cycle: RequestResponseCycle, on_free: Callable[[], None], on_lost: Callable[[], None]
    ) -> None:
        super().__init__(send, on_free, on_lost)
        self._cycle = cycle

    def offer(self, chunk: bytes, framed: bytes | None = None) -> bool:
        cycle = self._cycle
        if cycle.flow.write_paused:
            return super().offer(chunk)
        if not cycle.disconnected:
            cycle.transport.write(framed or framing(chunk))
        return True


def framing(chunk: bytes) -> bytes:
    """A chunk in the chunked transfer coding (RFC 9112, section 7.1)."""
    return b"%x\r\n%b\r\n" % (len(chunk), chunk)


def sink_for(send: Send, on_free: Callable[[], None], on_lost: Callable[[], None]) -> Sink:
    """The best sink for a response whose head has been sent by `send`."""
    cycle = getattr(send, "__self__", None)
    if isinstance(cycle, RequestResponseCycle) and cycle.chunked_encoding and not cycle.response_complete:
        return TransportSink(send, cycle, on_free, on_lost)
    return Sink(send, on_free, on_lost)

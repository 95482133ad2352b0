"""The sink: writes the bytes of one stream. Bytes wait here while the reader is slow; the lane then adds no more."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Coroutine
from functools import cache
from typing import Any, Protocol

import structlog

from signalbox.webapp.live.chunk import Chunk, framing

logger = structlog.get_logger("signalbox.live")


class Flow(Protocol):
    """The part of uvicorn's `FlowControl` that a sink uses."""

    write_paused: bool


class Cycle(Protocol):
    """uvicorn's `RequestResponseCycle`, whose method `send` is in its HTTP/1.1 protocol on httptools.

    It is not a public interface: `pyproject.toml` limits the version, and `tests/live/test_sink.py` fails when
    it changes.
    """

    flow: Flow
    transport: asyncio.Transport
    chunked_encoding: bool | None
    response_complete: bool
    disconnected: bool


Send = Callable[[Any], Coroutine[Any, Any, None]]
Direct = tuple[Flow, Callable[[bytes], None]]
"""The flow control and the write method of a transport. Write only while the flow is not paused."""


class Sink:
    """Writes through ASGI's `send`, with a task for each write. Works on any server and for WebSockets."""

    __slots__ = ("_on_drained", "_on_lost", "_pending", "_send", "_waiting", "direct", "stalled_since")

    direct: Direct | None

    def __init__(self, send: Send, on_drained: Callable[[], None], on_lost: Callable[[], None]) -> None:
        self._send = send
        self._on_drained = on_drained
        self._on_lost = on_lost
        self._pending: asyncio.Task[None] | None = None
        self._waiting: deque[tuple[bytes, float]] = deque()
        self.stalled_since: float | None = None
        self.direct = None

    def write(self, data: bytes) -> bool:
        """Write `data`. Return True if all bytes were written, or False if they wait behind a slow reader.

        Waiting bytes are written in order; then `on_drained` is called. `stalled_since` is the time since which the
        first of them has waited. `on_lost` is called when the connection is lost.
        """
        now = time.monotonic()
        self._waiting.append((data, now))
        if self._pending is None:
            self.stalled_since = now
            self._pending = asyncio.ensure_future(self._write_all())
        return False

    def write_chunk(self, chunk: Chunk) -> bool:
        """Like `write`, for the body of a chunk."""
        return self.write(chunk.body)

    async def _write_all(self) -> None:
        try:
            while self._waiting:
                data, self.stalled_since = self._waiting[0]
                await self._send({"type": "http.response.body", "body": data, "more_body": True})
                self._waiting.popleft()
        except Exception as error:
            # An error of one client must not end the flush for others.
            if not isinstance(error, OSError):
                logger.warning("a stream cannot be written to", error=repr(error))
            self._on_lost()
            return
        self.stalled_since = self._pending = None
        self._on_drained()

    async def wait_drained(self) -> None:
        """Return when no bytes are waiting any more."""
        if self._pending:
            await self._pending

    def cancel(self) -> None:
        """Drop the waiting bytes."""
        if self._pending:
            self._pending.cancel()
            self._pending = None
        self._waiting.clear()


class TransportSink(Sink):
    """Writes chunks, framed once for all streams, directly to the connection's transport instead of through `send`.

    This halves the cost of a write. While the transport is above its high-water mark, bytes go through `send`, which
    waits.
    """

    __slots__ = ("_cycle", "_flow", "_write")

    def __init__(self, send: Send, cycle: Cycle, on_drained: Callable[[], None], on_lost: Callable[[], None]) -> None:
        super().__init__(send, on_drained, on_lost)
        self._cycle = cycle
        self._flow = cycle.flow
        self._write = cycle.transport.write
        self.direct = (self._flow, self._write)

    def write(self, data: bytes) -> bool:
        # Keep the order: if bytes are already waiting, wait behind them even if the transport has room again.
        if self._flow.write_paused or self._pending:
            return super().write(data)
        if data:
            self._write_now(framing(data))
        return True

    def write_chunk(self, chunk: Chunk) -> bool:
        if self._flow.write_paused or self._pending:
            return super().write(chunk.body)
        self._write_now(chunk.framed)
        return True

    def _write_now(self, framed: bytes) -> None:
        if self._cycle.disconnected:
            return
        try:
            self._write(framed)
        except RuntimeError:
            # uvloop raises this for a closed connection before it calls `connection_lost`.
            self._on_lost()


def sink_for(send: Send, on_drained: Callable[[], None], on_lost: Callable[[], None]) -> Sink:
    """Return the fastest sink for a response whose head `send` has sent: a TransportSink on uvicorn, else a Sink."""
    cycle = cycle_of(send)
    if cycle is not None and cycle.chunked_encoding and not cycle.response_complete:
        return TransportSink(send, cycle, on_drained, on_lost)
    return Sink(send, on_drained, on_lost)


def cycle_of(send: Send) -> Cycle | None:
    """Return the cycle that `send` belongs to, or None if a TransportSink cannot use it."""
    cycle: Any = getattr(send, "__self__", None)
    if not type(cycle).__module__.startswith("uvicorn."):
        return None
    try:
        if cycle.disconnected is True:
            # The head was not sent, so `chunked_encoding` is not set.
            return None
        fits = (
            isinstance(cycle.chunked_encoding, bool)
            and isinstance(cycle.response_complete, bool)
            and isinstance(cycle.disconnected, bool)
            and isinstance(cycle.flow.write_paused, bool)
            and callable(cycle.transport.write)
        )
    except AttributeError:
        fits = False
    if not fits:
        _warn_once("direct writes do not support this version of uvicorn: streams use ASGI, which is slower")
    return cycle if fits else None


@cache
def _warn_once(text: str) -> None:
    logger.warning(text)

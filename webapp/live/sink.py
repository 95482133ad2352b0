"""The sink: where one stream's bytes go. What its reader does not take waits here; its lane adds no more meanwhile."""

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
    """uvicorn's `FlowControl`, as far as it matters here."""

    write_paused: bool


class Cycle(Protocol):
    """uvicorn's `RequestResponseCycle`: what is behind the `send` of its HTTP/1.1 protocol on httptools.

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
"""How to write framed bytes without a word in between: only while the flow is not paused."""


class Sink:
    """Writes through ASGI's `send`: works on any server and for WebSockets; each write is a task."""

    __slots__ = ("_on_free", "_on_lost", "_pending", "_send", "_waiting", "direct", "stalled_since")

    direct: Direct | None

    def __init__(self, send: Send, on_free: Callable[[], None], on_lost: Callable[[], None]) -> None:
        self._send = send
        self._on_free = on_free
        self._on_lost = on_lost
        self._pending: asyncio.Task[None] | None = None
        self._waiting: deque[tuple[bytes, float]] = deque()
        self.stalled_since: float | None = None
        self.direct = None

    def offer(self, words: bytes) -> bool:
        """Take `words`. True: they are written. False: they wait for the reader, and `on_free` says when all is out.

        What comes while a write waits is written after it. `stalled_since` is since when the first of them waits.
        A client that cannot be written to at all is told by `on_lost`.
        """
        now = time.monotonic()
        self._waiting.append((words, now))
        if self._pending is None:
            self.stalled_since = now
            self._pending = asyncio.ensure_future(self._write_all())
        return False

    def put(self, chunk: Chunk) -> bool:
        """`offer` a chunk as it is."""
        return self.offer(chunk.body)

    async def _write_all(self) -> None:
        try:
            while self._waiting:
                words, self.stalled_since = self._waiting[0]
                await self._send({"type": "http.response.body", "body": words, "more_body": True})
                self._waiting.popleft()
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
        self._waiting.clear()


class TransportSink(Sink):
    """Writes to the connection's transport, below `send`: the bytes of a chunk are framed once for all its streams.

    A write costs half as much this way. While the transport is over its high-water mark it is left alone: the chunk
    goes through `send`, which waits.
    """

    __slots__ = ("_cycle", "_flow", "_write")

    def __init__(self, send: Send, cycle: Cycle, on_free: Callable[[], None], on_lost: Callable[[], None]) -> None:
        super().__init__(send, on_free, on_lost)
        self._cycle = cycle
        self._flow = cycle.flow
        self._write = cycle.transport.write
        self.direct = (self._flow, self._write)

    def offer(self, words: bytes) -> bool:
        # Nothing may overtake what waits, even if the transport has room again.
        if self._flow.write_paused or self._pending:
            return super().offer(words)
        if words:
            self._write_now(framing(words))
        return True

    def put(self, chunk: Chunk) -> bool:
        if self._flow.write_paused or self._pending:
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
    """The best sink for a response whose head has been sent by `send`; the one on `send` itself fits any server."""
    cycle = cycle_of(send)
    if cycle is not None and cycle.chunked_encoding and not cycle.response_complete:
        return TransportSink(send, cycle, on_free, on_lost)
    return Sink(send, on_free, on_lost)


def cycle_of(send: Send) -> Cycle | None:
    """What is behind `send`, if it is all that a TransportSink needs."""
    cycle: Any = getattr(send, "__self__", None)
    if not type(cycle).__module__.startswith("uvicorn."):
        return None
    try:
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
        _say_once("uvicorn is not as this version knows it: streams take the slower way through ASGI")
    return cycle if fits else None


@cache
def _say_once(text: str) -> None:
    logger.warning(text)

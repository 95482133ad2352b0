"""A small TCP proxy that can cut, stall, delay, drop and refuse connections, or answer in the server's place."""

from __future__ import annotations

import asyncio
import re
import socket
import struct
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from tests.support.chunks import StreamFilter

CHUNK = 65536
_REQUEST = re.compile(rb"[A-Z]+ (\S+) HTTP/1\.1\r\n")


class Proxy:
    """Forward connections to the loopback port `target`. It runs in its own thread; methods are thread-safe.

    `cut_after` is called for each connection and returns after how many response bytes to reset it, or None.
    `should_drop` is called with each write of an event stream and returns whether to drop it.
    `requests` lists the requested targets.
    """

    def __init__(self, target: int) -> None:
        self.target = target
        self.port = 0
        self.delay = 0.0
        self.cut_after: Callable[[], int | None] = lambda: None
        self.should_drop: Callable[[bytes], bool] = lambda written: False
        self.connections = 0
        self.requests: list[str] = []
        self._response: tuple[re.Pattern[str], bytes] | None = None
        self._hang: tuple[re.Pattern[str], bytes] | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._connections: set[asyncio.Task[None]] = set()
        self._loop = asyncio.new_event_loop()
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._server: asyncio.Server | None = None
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self.listen()

    @property
    def url(self) -> str:
        """Return the address to use in place of the server's."""
        return f"http://127.0.0.1:{self.port}"

    def count_requests(self, pattern: str) -> int:
        """Return how many requests had a target that matches `pattern`."""
        return sum(1 for target in self.requests if re.search(pattern, target))

    def listen(self) -> None:
        """Accept connections (again, on the same port)."""
        self._run(self._listen())

    def shut(self) -> None:
        """Close everything and accept no connection until `listen`, like a pulled cable or a dead port."""
        self._run(self._shut())

    def cut(self) -> None:
        """Reset all open connections."""
        self._run(self._cut())

    def stall(self) -> None:
        """Stop forwarding in both directions without closing anything, so that connections are half-open."""
        self._loop.call_soon_threadsafe(self._flowing.clear)

    def respond(self, status: str, headers: str = "", body: str = "proxy error", *, pattern: str = "") -> None:
        """Answer requests whose target matches `pattern` in the server's place, and cut open connections."""
        length = f"Content-Type: text/html\r\nContent-Length: {len(body.encode())}\r\n"
        text = f"HTTP/1.1 {status}\r\n{length}{headers}Connection: close\r\n\r\n{body}"
        self._response = re.compile(pattern), text.encode()
        self.cut()

    def hang_up(self, *, pattern: str = "") -> None:
        """Close requests whose target matches `pattern` without an answer, and cut open connections."""
        self._response = re.compile(pattern), b""
        self.cut()

    def hang(self, *, pattern: str = "", first_bytes: bytes = b"") -> None:
        """Send only `first_bytes` to requests whose target matches `pattern`, and cut open connections.

        After `heal`, new requests are forwarded. Requests that already hang keep their silent connections.
        """
        self._hang = re.compile(pattern), first_bytes
        self.cut()

    def drop_next_write(self, containing: bytes) -> threading.Event:
        """Drop the next write of a stream that contains these bytes. The returned event is set when it happens."""
        dropped = threading.Event()

        def should_drop(written: bytes) -> bool:
            if dropped.is_set() or containing not in written:
                return False
            dropped.set()
            return True

        self.should_drop = should_drop
        return dropped

    def heal(self) -> None:
        """Forward again. Stalled connections are reset, as after a network failure."""
        self._response, self._hang, self.delay = None, None, 0.0
        if not self._flowing.is_set():
            self.cut()
            self._loop.call_soon_threadsafe(self._flowing.set)
        if self._server is None:
            self.listen()

    def close(self) -> None:
        """Stop for good."""
        self._run(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(60)
        self._loop.close()

    def _run(self, coroutine: Any) -> None:
        asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(60)

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _shut(self) -> None:
        if self._server:
            self._server.close()
            self._server = None
        await self._cut()

    async def _end(self) -> None:
        await self._shut()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _cut(self) -> None:
        for writer in list(self._writers):
            _reset(writer)
        self._writers.clear()

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # If this were a coroutine, asyncio.start_server of Python 3.11 would log its cancellation as an error.
        task = self._loop.create_task(self._accept(reader, writer))
        self._connections.add(task)
        task.add_done_callback(self._connections.discard)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._writers.add(writer)
        pair, tasks = {writer}, set[asyncio.Task[None]]()
        with suppress(OSError):
            first = await reader.read(CHUNK)
            if not await self._was_answered(first, writer):
                upstream_reader, upstream_writer = await asyncio.open_connection("127.0.0.1", self.target)
                pair.add(upstream_writer)
                self._writers.add(upstream_writer)
                down = asyncio.create_task(self._down(upstream_reader, writer, self.cut_after()))
                up = asyncio.create_task(self._up(first, reader, upstream_writer, writer))
                tasks = {down, up}
                await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
                if not self._flowing.is_set():
                    return
        for task in tasks:
            task.cancel()
        for open_writer in pair:
            self._writers.discard(open_writer)
            open_writer.close()

    async def _was_answered(self, data: bytes, writer: asyncio.StreamWriter) -> bool:
        """Return whether `data` is a request that has been answered here."""
        request = _REQUEST.match(data)
        if not request:
            return False
        target = request.group(1).decode("latin-1")
        self.requests.append(target)
        if self._hang and self._hang[0].search(target):
            writer.write(self._hang[1])
            await asyncio.Event().wait()
        if self._response is None or not self._response[0].search(target):
            return False
        writer.write(self._response[1])
        await writer.drain()
        return True

    async def _up(
        self, data: bytes, reader: asyncio.StreamReader, server: asyncio.StreamWriter, client: asyncio.StreamWriter
    ) -> None:
        with suppress(OSError):
            while data:
                await self._hold()
                server.write(data)
                await server.drain()
                data = await reader.read(CHUNK)
                if await self._was_answered(data, client):
                    return

    async def _down(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, limit: int | None) -> None:
        passed, stream = 0, StreamFilter(lambda written: self.should_drop(written))
        with suppress(OSError):
            while data := await reader.read(CHUNK):
                await self._hold()
                data = stream.feed(data)
                if limit is not None and passed + len(data) >= limit:
                    writer.write(data[: limit - passed])
                    await writer.drain()
                    _reset(writer)
                    return
                passed += len(data)
                writer.write(data)
                await writer.drain()

    async def _hold(self) -> None:
        await self._flowing.wait()
        if self.delay:
            await asyncio.sleep(self.delay)


def _reset(writer: asyncio.StreamWriter) -> None:
    """Close with RST, as a network does after a timeout."""
    raw = writer.get_extra_info("socket")
    with suppress(OSError, AttributeError):
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()

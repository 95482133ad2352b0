"""A small TCP proxy between client and server that can cut, stall, delay, refuse and answer in the server's place."""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

CHUNK = 65536


class Proxy:
    """Forwards to `target` port on loopback. Runs in a thread of its own; its methods may be called from any."""

    def __init__(self, target: int) -> None:
        self.target = target
        self.port = 0
        self.refusing: bytes | None = None
        self.delay = 0.0
        self.cut_after: Callable[[], int | None] = lambda: None
        self.connections = 0
        self._writers: set[asyncio.StreamWriter] = set()
        self._loop = asyncio.new_event_loop()
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._server: asyncio.Server | None = None
        threading.Thread(target=self._loop.run_forever, daemon=True).start()
        self.listen()

    @property
    def url(self) -> str:
        """The address to use in place of the server's."""
        return f"http://127.0.0.1:{self.port}"

    def listen(self) -> None:
        """Take connections (again, on the same port)."""
        self._run(self._listen())

    def shut(self) -> None:
        """Close everything and take no connection until `listen`: the cable is out, the port is dead."""
        self._run(self._shut())

    def cut(self) -> None:
        """Reset all connections that are open now."""
        self._run(self._cut())

    def stall(self) -> None:
        """Forward nothing more in either direction and close nothing: the peer is half-open."""
        self._loop.call_soon_threadsafe(self._flowing.clear)

    def answer(self, status: str, headers: str = "", body: str = "proxy error") -> None:
        """Answer every new connection with this status in the server's place, and cut those that are open."""
        length = f"Content-Type: text/html\r\nContent-Length: {len(body)}\r\n"
        text = f"HTTP/1.1 {status}\r\n{length}{headers}Connection: close\r\n\r\n{body}"
        self.refusing = text.encode()
        self.cut()

    def heal(self) -> None:
        """Forward again. What was stalled stays dead, as after a lost network: it is reset."""
        self.refusing, self.delay = None, 0.0
        if not self._flowing.is_set():
            self.cut()
            self._loop.call_soon_threadsafe(self._flowing.set)
        if self._server is None:
            self.listen()

    def close(self) -> None:
        """Stop for good."""
        self.shut()
        self._loop.call_soon_threadsafe(self._loop.stop)

    def _run(self, coroutine: Any) -> None:
        asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(10)

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _shut(self) -> None:
        if self._server:
            self._server.close()
            self._server = None
        await self._cut()

    async def _cut(self) -> None:
        for writer in list(self._writers):
            _reset(writer)
        self._writers.clear()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        if self.refusing is not None:
            with suppress(OSError):
                await reader.readuntil(b"\r\n\r\n")
                writer.write(self.refusing)
                await writer.drain()
            writer.close()
            return
        try:
            upstream_reader, upstream_writer = await asyncio.open_connection("127.0.0.1", self.target)
        except OSError:
            _reset(writer)
            return
        pair = {writer, upstream_writer}
        self._writers |= pair
        down = asyncio.ensure_future(self._pump(upstream_reader, writer, self.cut_after()))
        up = asyncio.ensure_future(self._pump(reader, upstream_writer, None))
        await asyncio.wait({down, up}, return_when=asyncio.FIRST_COMPLETED)
        if not self._flowing.is_set():
            return
        for task in (down, up):
            task.cancel()
        for one in pair:
            self._writers.discard(one)
            one.close()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, limit: int | None) -> None:
        passed = 0
        with suppress(OSError):
            while data := await reader.read(CHUNK):
                await self._flowing.wait()
                if self.delay:
                    await asyncio.sleep(self.delay)
                if limit is not None and passed + len(data) >= limit:
                    writer.write(data[: limit - passed])
                    await writer.drain()
                    _reset(writer)
                    return
                passed += len(data)
                writer.write(data)
                await writer.drain()


def _reset(writer: asyncio.StreamWriter) -> None:
    """Close with RST, as a network does that has lost its patience."""
    raw = writer.get_extra_info("socket")
    with suppress(OSError, AttributeError):
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()

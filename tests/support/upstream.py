"""An SSE server scripted by a test: its messages, its cuts, and the requests that it received."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

OK = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"


class Upstream:
    """Serve `blocks` (SSE messages without their blank line) on loopback, then close unless `idle`.

    `start` gets the request's `Last-Event-ID` and the number of the connection, and returns the first block to send.
    `cut_after_blocks` and `cut_after_bytes` get the number of the connection, and return where to cut it, or None.
    `respond` gets it too, and returns a response to send instead of the blocks, or None.
    """

    def __init__(self, blocks: list[str] | None = None) -> None:
        self.blocks = blocks or []
        self.idle = False
        self.start: Callable[[str, int], int] = lambda last_id, connection: int(last_id or 0)
        self.cut_after_blocks: Callable[[int], int | None] = lambda connection: None
        self.cut_after_bytes: Callable[[int], int | None] = lambda connection: None
        self.respond: Callable[[int], str | None] = lambda connection: None
        self.requests: list[str] = []
        self.bodies: list[str] = []
        self._loop = asyncio.new_event_loop()
        self._server: asyncio.Server | None = None
        self.port = 0
        threading.Thread(target=self._loop.run_forever, daemon=True).start()
        self.listen()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/stream"

    def listen(self) -> None:
        """Accept connections (again, on the same port)."""

        async def listen() -> None:
            self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port, limit=2**20)
            self.port = self._server.sockets[0].getsockname()[1]

        asyncio.run_coroutine_threadsafe(listen(), self._loop).result(60)

    def shut(self) -> None:
        """Stop accepting connections."""

        async def shut() -> None:
            if self._server is not None:
                self._server.close()

        asyncio.run_coroutine_threadsafe(shut(), self._loop).result(60)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = (await reader.readuntil(b"\r\n\r\n")).decode()
        connection = len(self.requests)
        self.requests.append(request)
        self.bodies.append((await reader.readexactly(int(header(request, "Content-Length") or 0))).decode())
        response = self.respond(connection)
        if response is not None:
            writer.write(response.encode())
        else:
            writer.write(OK.encode())
            begin = self.start(header(request, "Last-Event-ID"), connection)
            cut = self.cut_after_blocks(connection)
            end = len(self.blocks) if cut is None else begin + cut
            text = "".join(f"{block}\n\n" for block in self.blocks[begin:end])
            # Half of the next message was in transit when the connection broke.
            half = "" if cut is None or end >= len(self.blocks) else self.blocks[end][:9]
            writer.write((text + half).encode()[: self.cut_after_bytes(connection)])
            if self.idle:
                await reader.read()
        writer.close()


def header(request: str, name: str) -> str:
    """Return a header of a request, or an empty string."""
    for line in request.split("\r\n"):
        key, _, value = line.partition(":")
        if key.lower() == name.lower():
            return value.strip()
    return ""

"""Serve the log of one task over real sockets with faults, as networks and crashes cause them."""

import asyncio
import json
import mimetypes
import threading
from collections import deque
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

STATIC = Path(__file__).parent.parent / "webapp" / "static"
PAGE = b"<!doctype html><html lang=en><title>stub</title><link rel=icon href=data:,><main></main>"


@dataclass
class Plan:
    """The faults of one connection of the stream. Counts are bytes of the body."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    drop: frozenset[int] = frozenset()
    repeat: frozenset[int] = frozenset()
    cut_after: int | None = None
    stall_after: int | None = None
    end_after: int | None = None
    farewell: bytes = b""
    line_end: bytes = b"\n"
    piece: int | None = None
    prelude: bytes = b""
    keepalive: float | None = None


class Stub:
    """Serve the seqs 1 to `latest`. Each connection of the stream uses the next of `plans`, or one without faults."""

    def __init__(self) -> None:
        self.latest = 0
        self.plans: deque[Plan] = deque()
        self.requests: list[str] = []
        self.recovery_status = 200
        self.url = ""
        self._grown = asyncio.Event()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            target = head.split(" ", 2)[1]
            await self._respond(target, writer)
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # The browser closed the connection, or the test has ended.
        finally:
            writer.close()

    async def _respond(self, target: str, writer: asyncio.StreamWriter) -> None:
        url = urlsplit(target)
        since = int(parse_qs(url.query).get("since_seq", ["0"])[0])
        if url.path.startswith("/static/"):
            file = STATIC / url.path.removeprefix("/static/")
            kind = mimetypes.guess_type(file.name)[0] or ""
            await _send(writer, 200, {"Content-Type": kind}, file.read_bytes())
        elif url.path.startswith("/sse/"):
            self.requests.append(target)
            await self._stream(self.plans.popleft() if self.plans else Plan(), since, writer)
        elif url.path.startswith("/api/"):
            self.requests.append(target)
            await _send(writer, self.recovery_status, {"Content-Type": "application/json"}, self._page(url.query))
        else:
            await _send(writer, 200, {"Content-Type": "text/html"}, PAGE)

    def _page(self, query: str) -> bytes:
        params = {name: int(values[0]) for name, values in parse_qs(query).items()}
        since, limit = params["since_seq"], params["limit"]
        seqs = range(since + 1, min(since + limit, self.latest) + 1)
        events = [{"seq": seq, "event_type": "log"} for seq in seqs]
        more = since + limit < self.latest
        return json.dumps({"events": events, "total": self.latest, "has_more": more}).encode()

    async def _stream(self, plan: Plan, since: int, writer: asyncio.StreamWriter) -> None:
        if plan.status != 200 or plan.body:
            await _send(writer, plan.status, {"Content-Type": "text/html"} | plan.headers, plan.body)
            return
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
        sent = 0
        async for message in self._messages(plan, since):
            for piece in _pieces(message, plan.piece):
                limits = [limit - sent for limit in (plan.cut_after, plan.stall_after) if limit is not None]
                piece = piece[: min([len(piece), *limits])]
                if piece:
                    writer.write(b"%x\r\n%b\r\n" % (len(piece), piece))
                    await writer.drain()
                sent += len(piece)
                if sent == plan.cut_after:
                    return
                if sent == plan.stall_after:
                    await asyncio.sleep(60)
        writer.write(b"0\r\n\r\n")
        await writer.drain()

    async def _messages(self, plan: Plan, since: int) -> AsyncIterator[bytes]:
        if plan.prelude:
            yield plan.prelude
        seq = since
        while plan.end_after is None or seq < plan.end_after:
            if seq >= self.latest:
                try:
                    await asyncio.wait_for(self._grown.wait(), plan.keepalive)
                except TimeoutError:
                    yield b": keepalive\n\n"
                continue
            seq += 1
            if seq in plan.drop:
                continue
            data = json.dumps({"seq": seq, "event_type": "log"}).encode()
            message = plan.line_end.join([b"data: %b" % data, b"id: %d" % seq, b"", b""])
            yield message * (2 if seq in plan.repeat else 1)
        if plan.farewell:
            yield plan.farewell

    def append_up_to(self, latest: int) -> None:
        """Make `latest` the newest seq."""
        self.latest = latest
        grown, self._grown = self._grown, asyncio.Event()
        grown.set()


def _pieces(message: bytes, size: int | None) -> list[bytes]:
    step = size or len(message)
    return [message[start : start + step] for start in range(0, len(message), step)]


async def _send(writer: asyncio.StreamWriter, status: int, headers: dict[str, str], body: bytes) -> None:
    lines = [f"HTTP/1.1 {status} Planned", f"Content-Length: {len(body)}", "Connection: close"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    writer.write("\r\n".join([*lines, "", ""]).encode() + body)
    await writer.drain()


class StubServer:
    """A Stub on a separate thread, for tests that block the main thread."""

    def __init__(self, stub: Stub, loop: asyncio.AbstractEventLoop) -> None:
        self._stub = stub
        self._loop = loop
        self.url = stub.url
        self.plans = stub.plans
        self.requests = stub.requests

    def emit(self, latest: int) -> None:
        self._loop.call_soon_threadsafe(self._stub.append_up_to, latest)

    def break_recovery(self, status: int) -> None:
        self._stub.recovery_status = status

    def streams(self) -> list[str]:
        """Return the addresses of all requests for streams, in order."""
        return [target for target in self.requests if target.startswith("/sse/")]


@contextmanager
def running() -> Iterator[StubServer]:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="stream-stub")
    thread.start()
    stub = Stub()

    async def start() -> asyncio.Server:
        return await asyncio.start_server(stub.serve, "127.0.0.1", 0)

    async def stop(server: asyncio.Server) -> None:
        server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    server = asyncio.run_coroutine_threadsafe(start(), loop).result()
    stub.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield StubServer(stub, loop)
    finally:
        asyncio.run_coroutine_threadsafe(stop(server), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()

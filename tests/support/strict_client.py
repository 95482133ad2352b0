"""A strict client: every message must be the next event, on every connection, after any cut."""

from __future__ import annotations

import asyncio
import itertools
import re
from collections.abc import AsyncIterator
from contextlib import suppress

from tests.support.sse import Message, message_of


class Refused(Exception):
    """Raised when an answer is not an event stream. Its text is the status line."""


class StrictClient:
    """Follow the JSON stream of one task on a raw loopback connection, and resume with `Last-Event-ID`.

    A repeated event or a gap raises AssertionError. `waits` holds the waits in ms that `reconnect` messages asked for.
    Without such a message, the client reconnects after `pause` seconds.
    """

    def __init__(self, port: int, task_id: str, *, since: int = 0, pause: float = 0.02) -> None:
        self.port = port
        self.task_id = task_id
        self.cursor = since
        self.pause = pause
        self.seen: list[int] = []
        self.waits: list[int] = []
        self.connects = 0

    async def follow(self, until: int) -> None:
        """Return once the event `until` has arrived."""
        while self.cursor < until:
            farewells = len(self.waits)
            with suppress(OSError, asyncio.IncompleteReadError, Refused):
                await self._read_one_stream(until)
            if self.cursor < until:
                await asyncio.sleep(self.waits[-1] / 1000 if len(self.waits) > farewells else self.pause)

    async def _read_one_stream(self, until: int) -> None:
        path = f"/sse/tasks/{self.task_id}/events"
        resume = {"Last-Event-ID": str(self.cursor)} if self.cursor else {}
        async for message in stream("127.0.0.1", self.port, path, resume):
            self.connects += message.comment == "open"
            if message.id is not None:
                self._take(message)
            elif message.event:
                assert message.event == "reconnect", message
                self.waits.append(message.retry or 0)
            if self.cursor >= until:
                return

    def _take(self, message: Message) -> None:
        seq = int(message.id or 0)
        assert seq == self.cursor + 1, f"after {self.cursor} came {seq}"
        assert message.json["seq"] == seq
        assert message.json["task_id"] == self.task_id
        self.cursor = seq
        self.seen.append(seq)


async def stream(host: str, port: int, path: str, headers: dict[str, str]) -> AsyncIterator[Message]:
    """Yield the messages of one response. Raise Refused, or OSError or IncompleteReadError when it is cut."""
    reader, writer = await asyncio.open_connection(host, port)
    try:
        lines = itertools.chain([f"GET {path} HTTP/1.1", f"Host: {host}"], map(": ".join, headers.items()))
        writer.write("\r\n".join([*lines, "", ""]).encode())
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        if not re.match(r"HTTP/1\.1 200 .*\r\ncontent-type: text/event-stream", head, re.DOTALL | re.IGNORECASE):
            raise Refused(head.partition("\r\n")[0])
        rest = b""
        while size := int(await reader.readuntil(b"\r\n"), 16):
            rest += (await reader.readexactly(size + 2))[:-2]
            *blocks, rest = rest.split(b"\n\n")
            for block in blocks:
                yield message_of(block.decode().split("\n"))
        assert not rest, f"a stream ended in the middle of a message: {rest!r}"
    finally:
        writer.transport.abort()

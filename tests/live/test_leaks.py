"""Streams leak no memory in the server, however they end."""

from __future__ import annotations

import asyncio
import random
import socket
import struct
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.server import Server

TASKS = 20
PATHS = (
    "/sse/tasks/run-{}/events",
    "/tasks/run-{}/stream?since=50",
    "/sse/events?task=run-{}",
    "/live/tasks?q=run-{}",
)


@pytest.mark.long
@pytest.mark.skipif(sys.platform != "linux", reason="reads the server's memory from /proc")
@pytest.mark.parametrize("streams", [400, pytest.param(10_000, marks=pytest.mark.soak)])
async def test_streams_leak_no_memory_however_they_end(start_server: Callable[..., Server], streams: int) -> None:
    server = start_server()
    for number in range(TASKS):
        server.emit(f"run-{number}", *["a line of the log"] * 50)
    await open_and_leave(server, streams)
    before = await memory_when_empty(server)
    for _ in range(3):
        await open_and_leave(server, streams)
    growth = await memory_when_empty(server) - before
    # The allocator of a young process keeps a few more megabytes after each round, and fewer each time.
    assert growth < 8_000_000, f"{growth / streams / 3:.0f} bytes are left of each stream"


async def open_and_leave(server: Server, streams: int) -> None:
    """Open streams of all kinds, at most 100 at a time, and disconnect in different ways."""
    rng, gate = random.Random(streams), asyncio.Semaphore(100)

    async def open_one(number: int) -> None:
        async with gate:
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            path = rng.choice(PATHS).format(number % TASKS)
            writer.write(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
            if rng.random() < 0.8:
                await reader.read(rng.choice([1, 300, 5000]))
            if rng.random() < 0.5:
                raw: socket.socket = writer.get_extra_info("socket")
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()

    await asyncio.gather(*(open_one(number) for number in range(streams)))


async def memory_when_empty(server: Server) -> int:
    """Wait until the server has no stream and watches no task; return its resident memory in bytes."""
    deadline = time.monotonic() + 60
    while True:
        health = (await asyncio.to_thread(server.get, "/sse/health")).json()
        if health["streams"] == health["tasks"] == 0:
            return memory(server)
        assert time.monotonic() < deadline, health
        await asyncio.sleep(0.05)


def memory(server: Server) -> int:
    return int(Path(f"/proc/{server.pid}/statm").read_text().split()[1]) * 4096

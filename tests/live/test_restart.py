"""A server with many streams stops or is killed: the stop is quick, reconnects are spread, no event is lost."""

from __future__ import annotations

import asyncio
import resource
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from tests.support.server import Server
from tests.support.strict_client import StrictClient

LAST = 60


@asynccontextmanager
async def watched(server: Server, count: int) -> AsyncIterator[list[StrictClient]]:
    """Open streams for `count` clients; at the end, check that each received every event once and in order."""
    server.emit("run", *["before"] * 10)
    clients = [StrictClient(server.port, "run") for _ in range(count)]
    following = [asyncio.create_task(client.follow(LAST)) for client in clients]
    await wait_for_clients(lambda: all(client.cursor == 10 for client in clients), following)
    yield clients
    server.emit("run", *["after"] * (LAST - 10))
    await wait_for_clients(lambda: all(task.done() for task in following), following)
    assert all(client.seen == list(range(1, LAST + 1)) for client in clients)


async def wait_for_clients(done: Callable[[], bool], tasks: list[asyncio.Task[None]], timeout: float = 60) -> None:
    """Wait until `done()` is true. Raise the exception of any of `tasks` that failed."""
    deadline = time.monotonic() + timeout
    while not done():
        for task in tasks:
            if task.done():
                task.result()
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)


async def stop_and_start(server: Server, count: int) -> None:
    async with watched(server, count) as clients:
        await asyncio.to_thread(server.check_stop)
        await asyncio.to_thread(server.start)
    waits = [client.waits[0] for client in clients]
    assert {len(client.waits) for client in clients} == {1}
    assert max(waits) - min(waits) > 2000
    herd = Counter(wait // 250 for wait in waits)
    assert max(herd.values()) < count / 5, f"too many clients reconnect at once: {sorted(herd.items())}"


@pytest.mark.long
async def test_two_hundred_streams_reconnect_spread_out_after_a_stop(
    start_server: Callable[..., Server],
) -> None:
    await stop_and_start(start_server(), 200)


@pytest.mark.soak
async def test_a_thousand_streams_reconnect_spread_out_after_a_stop(
    start_server: Callable[..., Server],
) -> None:
    await stop_and_start(start_server(), 1000)


async def test_two_hundred_streams_lose_no_event_when_the_server_is_killed(start_server: Callable[..., Server]) -> None:
    server = start_server()
    async with watched(server, 200) as clients:
        server.kill()
        await asyncio.to_thread(server.start)
    assert all(client.waits == [] for client in clients)


async def test_the_server_raises_the_limit_of_open_files(start_server: Callable[..., Server]) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
    try:
        server = start_server()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    async with watched(server, 300):
        pass

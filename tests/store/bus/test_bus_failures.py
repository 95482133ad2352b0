"""A bus that fails delays wake-ups, and nothing else. It is reported, and works again by itself."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
from redis.asyncio import Redis

from signalbox.store.bus import Bus
from signalbox.store.bus.redis import RedisTransport
from signalbox.store.bus.transport import BusUnavailable, Transport
from signalbox.store.errors import UnknownStoreKind
from signalbox.store.postgresql.connection import Address
from signalbox.store.postgresql.notifications import Notifications
from tests.support.postgres import Cluster
from tests.support.redis import RedisSentinel, RedisServer
from tests.support.shared_postgres import memory_folder
from tests.support.waiting import wait_until


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RedisServer]:
    server = RedisServer(tmp_path / "redis").start()
    yield server
    server.kill()


@asynccontextmanager
async def waking(make: Callable[[], Transport]) -> AsyncIterator[tuple[Bus, Bus, asyncio.Event]]:
    """Yield the buses of a writer and of a reader that listens, and the event that a wake-up of the reader sets."""
    writer, reader, woken = Bus(make()), Bus(make()), asyncio.Event()
    try:
        reader.watch(woken.set)
        await next_of(woken)
        yield writer, reader, woken
    finally:
        await asyncio.to_thread(writer.close)
        await asyncio.to_thread(reader.close)


async def next_of(woken: asyncio.Event) -> None:
    async with asyncio.timeout(60):
        await woken.wait()
    woken.clear()


async def check_restart(make: Callable[[], Transport], stop: Callable[[], None], start: Callable[[], object]) -> None:
    """Check that a stopped server is reported, blocks no writer, and wakes the reader once it is back."""
    async with waking(make) as (writer, reader, woken):
        writer.committed()
        await next_of(woken)
        await asyncio.to_thread(stop)
        before = time.monotonic()
        writer.committed()
        assert time.monotonic() - before < 1
        await asyncio.to_thread(wait_until, lambda: not writer.working and not reader.working)
        await asyncio.to_thread(start)
        await asyncio.to_thread(wait_until, lambda: writer.working and reader.working)
        woken.clear()
        writer.committed()
        await next_of(woken)


async def test_redis_may_be_restarted(redis: RedisServer, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "signalbox.bus")
    await check_restart(lambda: RedisTransport(redis.url, "test"), redis.kill, redis.start)
    reports = [record.message for record in caplog.records]
    assert len(reports) == 4, reports  # Each process reports the loss and the recovery once.


@pytest.mark.long
async def test_postgresql_may_be_restarted() -> None:
    cluster = Cluster(memory_folder() / f"signalbox-bus-{uuid.uuid4().hex}").start()
    try:
        await check_restart(lambda: Notifications(Address(cluster.url("postgres"))), cluster.kill, cluster.start)
    finally:
        cluster.close()


async def test_a_redis_that_does_not_answer_is_reported_and_delays_no_writer(redis: RedisServer) -> None:
    async with waking(lambda: RedisTransport(redis.url, "test")) as (writer, _, woken):
        redis.suspend()
        try:
            before = time.monotonic()
            for _ in range(100):
                writer.committed()
            assert time.monotonic() - before < 1
            await asyncio.to_thread(wait_until, lambda: not writer.working)
        finally:
            redis.resume()
        await next_of(woken)
        await asyncio.to_thread(wait_until, lambda: writer.working)


async def test_a_process_ends_although_the_bus_is_unreachable(redis: RedisServer) -> None:
    redis.kill()
    bus = Bus(RedisTransport(redis.url, "test"))
    bus.committed()
    before = time.monotonic()
    await asyncio.to_thread(bus.close)
    assert time.monotonic() - before < 30


async def test_a_wrong_password_is_reported_without_the_password(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    server = RedisServer(tmp_path / "guarded", "--requirepass", "s3cret").start()
    bus = Bus(RedisTransport(f"redis://:wr0ng@127.0.0.1:{server.port}", "test"))
    try:
        bus.committed()
        await asyncio.to_thread(wait_until, lambda: not bus.working)
        await asyncio.to_thread(wait_until, lambda: "password" in caplog.text)
        assert "wr0ng" not in caplog.text
        right = f"redis://:s3cret@127.0.0.1:{server.port}"
        async with waking(lambda: RedisTransport(right, "test")) as (writer, _, woken):
            writer.committed()
            await next_of(woken)
    finally:
        await asyncio.to_thread(bus.close)
        server.kill()


async def test_wake_ups_follow_a_failover_of_the_sentinels(redis: RedisServer, tmp_path: Path) -> None:
    replica = RedisServer(tmp_path / "replica", "--replicaof", f"127.0.0.1 {redis.port}").start()
    sentinel = RedisSentinel(tmp_path / "sentinel", redis).start()
    url = f"redis+sentinel://127.0.0.1:{sentinel.port}/main"
    try:
        await asyncio.to_thread(wait_until, lambda: f"127.0.0.1 {replica.port}" in sentinel.configuration)
        async with waking(lambda: RedisTransport(url, "test")) as (writer, reader, woken):
            writer.committed()
            await next_of(woken)
            redis.kill()
            writer.committed()
            await asyncio.to_thread(wait_until, lambda: not reader.working)
            await asyncio.to_thread(wait_until, lambda: writer.working and reader.working)
            woken.clear()
            writer.committed()
            await next_of(woken)
    finally:
        sentinel.kill()
        replica.kill()


async def test_a_message_of_another_program_on_the_channel_does_not_end_the_wake_ups(redis: RedisServer) -> None:
    async with waking(lambda: RedisTransport(redis.url, "test")) as (writer, _, woken):
        other = Redis.from_url(redis.url)
        await other.publish("test", b"\xff")
        await other.aclose()
        await next_of(woken)
        writer.committed()
        await next_of(woken)


class Faulty:
    """A transport that fails in an unexpected way at first."""

    def __init__(self) -> None:
        self.published = 0
        self._failures = iter([RuntimeError("no such thing")] * 2)

    async def publish(self, origin: str) -> None:
        for failure in self._failures:
            raise failure
        self.published += 1

    @asynccontextmanager
    async def listen(self) -> AsyncIterator[AsyncIterator[str]]:
        raise BusUnavailable("not here")
        yield  # type: ignore[unreachable]

    async def aclose(self) -> None:
        pass


async def test_an_unexpected_error_is_logged_and_does_not_end_the_wake_ups(caplog: pytest.LogCaptureFixture) -> None:
    transport = Faulty()
    bus = Bus(transport)
    bus.committed()
    await asyncio.to_thread(wait_until, lambda: transport.published == 1 and bus.working)
    assert [record.exc_info is not None for record in caplog.records] == [True]
    await asyncio.to_thread(bus.close)


class Swallowing(Faulty):
    """A transport that swallows a cancellation while it listens, as a client library may in the middle of a connect."""

    def __init__(self) -> None:
        super().__init__()
        self.listening = threading.Event()

    @asynccontextmanager
    async def listen(self) -> AsyncIterator[AsyncIterator[str]]:
        self.listening.set()
        with suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        await asyncio.Event().wait()
        yield  # type: ignore[misc]


async def test_a_process_ends_although_a_cancellation_is_swallowed() -> None:
    transport = Swallowing()
    bus = Bus(transport)
    bus.watch(lambda: None)
    assert await asyncio.to_thread(transport.listening.wait, 20)
    # A thread that does not keep the tests from ending if it hangs.
    closing = threading.Thread(target=bus.close, daemon=True)
    closing.start()
    await asyncio.to_thread(closing.join, 20)
    assert not closing.is_alive()


@pytest.mark.parametrize(
    "url",
    [
        *("redis://host:port", "redis+sentinel://127.0.0.1:26379", "amqp://host", "redis", "redis+sentinel:///main"),
        "redis://host?unheard=of",
        *("redis://:s3cret/1@host", "redis://ann:s3cret#1@host", "redis://:[s3cret]@host"),
        *("redis+sentinel://:s3cret/1@host/main", "redis+sentinel://:[s3cret]@host/main"),
    ],
)
def test_a_bad_url_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(UnknownStoreKind, match="cannot use the bus") as refused:
        RedisTransport(url, "test")
    assert "s3cret" not in str(refused.value)

"""A server that keeps its connections but answers nothing, as when its machine swaps: no call waits without limit."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from signalbox.store import NewEvent, StoreUnavailable, open_store
from signalbox.store.postgresql import PostgresStore, peek, pool
from tests.support import postgres
from tests.support.log import log_of
from tests.support.postgres import Cluster

pytestmark = pytest.mark.skipif(postgres.programs() is None, reason=postgres.MISSING)

PATIENCE = 1.0


@pytest.fixture
def store(url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[PostgresStore]:
    monkeypatch.setattr("signalbox.store.postgresql.WRITER_PATIENCE", PATIENCE)
    monkeypatch.setattr(pool, "READER_PATIENCE", PATIENCE)
    monkeypatch.setattr(peek, "PATIENCE", PATIENCE)
    opened = open_store(f"{url}?connect_timeout=2")
    assert isinstance(opened, PostgresStore)
    yield opened
    opened.close()


@contextmanager
def suspended(cluster: Cluster) -> Iterator[None]:
    cluster.suspend()
    try:
        yield
    finally:
        cluster.resume()


def line(number: int) -> NewEvent:
    return NewEvent(event_type="log", payload={"n": number}, key=str(number))


@pytest.mark.long
def test_an_append_gives_up_and_a_retry_with_its_key_stores_once(cluster: Cluster, store: PostgresStore) -> None:
    store.append("run", line(1))
    with suspended(cluster), ThreadPoolExecutor(3) as threads:
        began = time.monotonic()
        calls = [threads.submit(store.append, "run", line(number)) for number in (2, 3, 4)]
        assert {type(call.exception(60)) for call in calls} == {StoreUnavailable}
        assert time.monotonic() - began < 60
    for number in (2, 3, 4):
        store.append("run", line(number))
    assert sorted(event.payload["n"] for event in log_of(store, "run")) == [1, 2, 3, 4]


async def test_reads_give_up_and_work_again_later(cluster: Cluster, store: PostgresStore) -> None:
    await store.aappend("run", line(1))
    follower = store.peek()
    await follower.moved()
    async with store.glance() as view:
        newest = await view.latest_event_id()
    with suspended(cluster):
        began = time.monotonic()
        with pytest.raises(StoreUnavailable, match="did not answer"):
            async with store.glance() as view:
                await view.latest_event_id()
        with pytest.raises(StoreUnavailable, match="did not answer"):
            await follower.moved()
        assert time.monotonic() - began < 60
    async with store.read() as view:
        assert await view.latest_event_id() == newest
    assert await follower.moved()
    await follower.aclose()


async def test_a_cancelled_read_returns_at_once(
    cluster: Cluster, store: PostgresStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "READER_PATIENCE", 60.0)
    await store.aappend("run", line(1))
    async with store.glance() as view:
        await view.latest_event_id()
    with suspended(cluster):
        began = time.monotonic()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2), store.glance() as view:
                await view.latest_event_id()
        assert time.monotonic() - began < 20


async def test_a_coroutine_does_not_wait_for_a_transaction_that_never_ends(
    cluster: Cluster, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("signalbox.store.sql.group_commit.calls.JOB_TIMEOUT", 0.5)
    monkeypatch.setattr("signalbox.store.sql.group_commit.calls.GRACE", 0.5)
    store = open_store(f"{url}?connect_timeout=2")
    await store.aappend("run", line(1))
    with suspended(cluster):
        began = time.monotonic()
        with pytest.raises(StoreUnavailable, match="may have succeeded"):
            await store.aappend("run", line(2))
        assert time.monotonic() - began < 20
    await store.aappend("run", line(2))
    async with store.read() as view:
        assert [event.payload["n"] for event in await view.events("run", 0, 10)] == [1, 2]
    await store.aclose()

"""Through PgBouncer the store works, or says what is wrong: a proxy may run each transaction on another connection."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import psycopg
import pytest

from signalbox.store import NewEvent, Store, StoreUnavailable, open_store
from signalbox.store.moving.errors import MoveRefused
from signalbox.store.moving.postgresql_side import PostgresSide
from signalbox.store.postgresql import PostgresStore, notifications
from signalbox.store.postgresql.errors import is_lost
from tests.support import postgres
from tests.support.log import log_of
from tests.support.pgbouncer import pgbouncer
from tests.support.postgres import Cluster
from tests.support.waiting import wait_until

pytestmark = pytest.mark.skipif(postgres.programs() is None, reason=postgres.MISSING)

Through = Callable[..., str]


@pytest.fixture
def through(url: str, tmp_path: Path) -> Iterator[Through]:
    """Return a function that starts a proxy with a `pool_mode` before the database, and returns the URL through it."""
    with ExitStack() as proxies:
        yield lambda mode, **settings: proxies.enter_context(pgbouncer(tmp_path, url, mode, **settings))


def line(text: str) -> NewEvent:
    return NewEvent(event_type="log", payload={"message": text}, key=text)


def texts(store: Store) -> list[str]:
    return [event.payload["message"] for event in log_of(store, "run")]


@pytest.mark.parametrize("mode", ["session", "transaction"])
def test_programs_that_share_connections_append_and_read(through: Through, mode: str) -> None:
    address = through(mode)
    first, second = open_store(address), open_store(address)
    # A prepared statement of the one would be missing, or another statement, on the connection of the other.
    for number in range(20):
        first.append("run", line(f"{number}a"))
        second.append("run", line(f"{number}b"))
        assert len(texts(first)) == len(texts(second)) == 2 * number + 2
    assert first.epoch == second.epoch
    assert texts(first) == [f"{number}{program}" for number in range(20) for program in "ab"]
    first.close()
    second.close()


async def test_views_of_one_moment_stay_apart_on_shared_connections(through: Through) -> None:
    address = through("transaction", default_pool_size="4")
    store, other = open_store(address), open_store(address)
    await store.aappend("run", line("first"))
    async with store.read() as before:
        position = await before.latest_event_id()
        await other.aappend("run", line("second"))
        async with other.glance() as now:
            assert await now.latest_event_id() == position + 1
        assert await before.latest_event_id() == position
    await other.aclose()
    await store.aclose()


async def test_the_settings_of_views_do_not_stay_in_shared_connections(through: Through) -> None:
    address = through("transaction", default_pool_size="1")
    store = open_store(address)
    assert isinstance(store, PostgresStore)
    # The writer has no transaction now, so that the views get the only connection.
    for view in (store.read, store.glance):
        async with view() as reading:
            assert await reading._rows("SHOW enable_bitmapscan") == [("off",)]  # type: ignore[attr-defined]
    with psycopg.connect(address, autocommit=True) as other:
        assert other.execute("SHOW enable_bitmapscan").fetchone() == ("on",)
    await store.aclose()


@pytest.mark.long
@pytest.mark.parametrize("mode", ["session", "transaction"])
def test_a_kill_of_the_server_behind_a_proxy_stores_each_event_once(
    cluster: Cluster, through: Through, mode: str
) -> None:
    address = through(mode, server_login_retry="1")
    acknowledged: list[str] = []
    stopping = threading.Event()

    def emit() -> None:
        store = open_store(address)
        number = 0
        while not stopping.is_set():
            try:
                store.append("run", line(str(number)))
            except StoreUnavailable:
                stopping.wait(0.05)  # The same event is sent again with its key.
                continue
            acknowledged.append(str(number))
            number += 1
        store.close()

    writer = threading.Thread(target=emit)
    writer.start()
    try:
        for _ in range(2):
            enough = len(acknowledged) + 20
            wait_until(lambda enough=enough: len(acknowledged) >= enough, 60, "the writer did not continue")
            cluster.kill()
            cluster.start()
        enough = len(acknowledged) + 1
        wait_until(lambda: len(acknowledged) >= enough, 60, "the writer did not continue")
    finally:
        stopping.set()
        writer.join()
    store = open_store(address)
    stored = texts(store)
    store.close()
    assert stored[: len(acknowledged)] == acknowledged
    assert len(stored) == len(set(stored))


def test_a_proxy_that_loses_its_server_counts_as_a_lost_connection(cluster: Cluster, through: Through) -> None:
    # Only then the store asks whether an interrupted commit succeeded.
    with psycopg.connect(through("transaction")) as connection:
        connection.execute("SELECT 1")
        cluster.kill()
        try:
            with pytest.raises(psycopg.Error) as lost:
                connection.execute("SELECT 1")
        finally:
            cluster.start()
    assert is_lost(lost.value)


async def test_a_pool_of_transactions_is_named_as_the_reason_why_wake_ups_do_not_arrive(
    through: Through, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notifications, "PROBE_TIMEOUT", 0.2)
    caplog.set_level(logging.WARNING, "signalbox.bus")
    store = open_store(through("transaction"))
    watch = store.watch(lambda: None)
    assert watch is not None
    await asyncio.to_thread(wait_until, lambda: "let it pool sessions" in caplog.text)
    assert [code for code, _ in store.warnings] == ["bus_unavailable"]
    watch.close()
    await store.aclose()


async def test_wake_ups_arrive_through_a_pool_of_sessions(through: Through) -> None:
    address = through("session")
    store, other = open_store(address), open_store(address)
    woken = asyncio.Event()
    watch = store.watch(woken.set)
    assert watch is not None
    await asyncio.wait_for(woken.wait(), 60)  # It listens now.
    woken.clear()
    await other.aappend("run", line("one"))
    await asyncio.wait_for(woken.wait(), 60)
    assert store.warnings == []
    watch.close()
    await other.aclose()
    await store.aclose()


def test_a_pool_of_statements_is_refused(url: str, through: Through) -> None:
    open_store(url).close()  # Nothing is left to migrate, for which a transaction would be needed.
    with pytest.raises(StoreUnavailable, match="must pool sessions or transactions"):
        open_store(through("statement"))


def test_a_move_is_refused_because_its_locks_would_stay_in_shared_connections(url: str, through: Through) -> None:
    with pytest.raises(MoveRefused, match="URL of the PostgreSQL server itself"):
        PostgresSide(through("transaction"), target=True)
    PostgresSide(url, target=True).close()


def test_prepared_statements_that_a_proxy_loses_are_named(through: Through) -> None:
    address = f"{through('transaction')}?prepare=on"
    first, second = open_store(address), open_store(address)

    def append_in_turns() -> None:
        for number in range(20):
            first.append("run", line(f"{number}a"))
            second.append("run", line(f"{number}b"))

    with pytest.raises(StoreUnavailable, match="put `prepare=off` into the store's URL"):
        append_in_turns()
    first.close()
    second.close()

"""An append is acknowledged if and only if it is stored, also when its connection is lost at the worst moment."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from signalbox.store import NewEvent, StoreUnavailable, open_store
from signalbox.store.postgresql import PostgresStore
from signalbox.store.postgresql.database import PostgresDatabase
from tests.support import postgres
from tests.support.log import log_of
from tests.support.postgres import Cluster
from tests.support.waiting import wait_until

pytestmark = pytest.mark.skipif(postgres.programs() is None, reason=postgres.MISSING)

LOG = NewEvent(event_type="log")

# The check of the constraint belongs to the commit, and ends the connection instead.
LOSE_CONNECTIONS = """
CREATE FUNCTION lose_connection() RETURNS trigger LANGUAGE plpgsql AS
  $$ BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END $$;
CREATE CONSTRAINT TRIGGER lose_connection AFTER INSERT ON task_events
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION lose_connection()
"""
KEEP_CONNECTIONS = "DROP TRIGGER lose_connection ON task_events"


@pytest.fixture
def store(url: str) -> Iterator[PostgresStore]:
    opened = open_store(url)
    assert isinstance(opened, PostgresStore)
    opened.append("run", LOG)
    yield opened
    opened.close()


def execute(url: str, sql: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(sql.encode())


def seqs(store: PostgresStore) -> list[int]:
    return [event.seq for event in log_of(store, "run")]


@pytest.mark.long
def test_a_commit_that_fails_with_its_connection_is_not_acknowledged(url: str, store: PostgresStore) -> None:
    execute(url, LOSE_CONNECTIONS)
    with pytest.raises(StoreUnavailable):
        store.append("run", LOG)
    execute(url, KEEP_CONNECTIONS)
    assert store.append("run", LOG)[0].seq == 2
    assert seqs(store) == [1, 2]


def test_a_commit_that_succeeds_without_an_answer_is_stored_once(
    store: PostgresStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = PostgresDatabase.commit

    def commit_and_lose_the_answer(database: PostgresDatabase) -> None:
        monkeypatch.undo()
        commit(database)
        database._pipeline.sync()
        wait_until(lambda: seqs(store) == [1, 2])
        database._connection.close()
        raise psycopg.OperationalError("the connection was lost")

    monkeypatch.setattr(PostgresDatabase, "commit", commit_and_lose_the_answer)
    assert store.append("run", LOG)[0].seq == 2
    assert seqs(store) == [1, 2]


def test_an_interrupt_while_the_outcome_is_unknown_acknowledges_nothing(
    url: str, store: PostgresStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted() -> psycopg.Connection:
        raise KeyboardInterrupt

    execute(url, LOSE_CONNECTIONS)
    monkeypatch.setattr(store._writer, "_connect", interrupted)
    with ThreadPoolExecutor(1) as thread:
        with store._writer._lock:
            future = thread.submit(store.append, "run", LOG)
            wait_until(lambda: store.stats().waiting == 1)
            with pytest.raises(KeyboardInterrupt):
                store._writer._drain()
        with pytest.raises(StoreUnavailable, match="may have succeeded"):
            future.result(60)
    monkeypatch.undo()
    execute(url, KEEP_CONNECTIONS)
    assert store.append("run", LOG)[0].seq == 2


def test_calls_that_wait_together_for_a_silent_server_fail_together(cluster: Cluster, url: str) -> None:
    store = open_store(f"{url}?connect_timeout=2")
    assert isinstance(store, PostgresStore)
    store.append("run", LOG)
    execute(
        url,
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()",
    )
    os.kill(cluster.pid, signal.SIGSTOP)
    try:
        with ThreadPoolExecutor(5) as threads:
            with store._writer._lock:
                futures = [threads.submit(store.append, "run", LOG) for _ in range(5)]
                wait_until(lambda: store.stats().waiting == 5)
            began = time.monotonic()
            assert {type(future.exception(60)) for future in futures} == {StoreUnavailable}
            assert time.monotonic() - began < 5 * 2, "each call waited for an attempt of its own"
    finally:
        os.kill(cluster.pid, signal.SIGCONT)
    assert store.append("run", LOG)[0].seq == 2
    store.close()


def _append_in_child(store: PostgresStore) -> None:
    for _ in range(20):
        store.append("run", LOG)
    store.close()


def test_a_forked_process_uses_connections_of_its_own(store: PostgresStore) -> None:
    child = multiprocessing.get_context("fork").Process(target=_append_in_child, args=(store,))
    child.start()
    for _ in range(20):
        store.append("run", LOG)
    child.join(60)
    assert child.exitcode == 0
    assert seqs(store) == list(range(1, 42))

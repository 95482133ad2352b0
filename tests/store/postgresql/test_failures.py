"""Failures of a PostgreSQL server: the error names the cause, nothing acknowledged is lost, and the store continues."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from signalbox.store import NewEvent, SchemaTooNew, Store, StoreUnavailable, open_store
from signalbox.store.errors import StoreFull
from signalbox.store.postgresql import migrations
from signalbox.store.postgresql.write_lock import WRITE_LOCK
from tests.support import postgres
from tests.support.daemon import free_port
from tests.support.log import log_of
from tests.support.postgres import Cluster
from tests.support.waiting import wait_until

pytestmark = pytest.mark.skipif(postgres.programs() is None, reason=postgres.MISSING)


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    opened = open_store(url)
    yield opened
    opened.close()


def line(text: str, key: str | None = None) -> NewEvent:
    return NewEvent(event_type="log", payload={"message": text}, key=key)


def texts(store: Store, task_id: str = "run") -> list[str]:
    return [event.payload["message"] for event in log_of(store, task_id)]


# opening


def refusal(url: str) -> str:
    with pytest.raises(StoreUnavailable) as refused:
        open_store(url)
    assert "s3cr3t" not in str(refused.value)
    return str(refused.value)


@pytest.mark.long
def test_a_wrong_password_is_named_and_not_shown(cluster: Cluster) -> None:
    assert "password" in refusal(cluster.url("postgres", password="s3cr3t"))


def test_a_missing_database_is_named(cluster: Cluster) -> None:
    assert '"nowhere"' in refusal(cluster.url("nowhere", password="secret"))


def test_a_server_without_tls_is_named(url: str) -> None:
    assert "SSL" in refusal(f"{url}?sslmode=require")


def test_an_unreachable_server_is_named(cluster: Cluster) -> None:
    away = cluster.url("postgres", password="s3cr3t").replace(f":{cluster.port}/", f":{free_port()}/")
    assert "refused" in refusal(away)


def test_a_missing_right_is_named(cluster: Cluster, url: str) -> None:
    user = f"guest_{uuid.uuid4().hex[:8]}"
    cluster.sql(f"CREATE USER {user} PASSWORD 's3cr3t'")
    database = url.rpartition("/")[2]
    assert "permission denied" in refusal(cluster.url(database, user=user, password="s3cr3t"))


def test_too_many_connections_are_named(cluster: Cluster, url: str) -> None:
    user = f"busy_{uuid.uuid4().hex[:8]}"
    cluster.sql(f"CREATE USER {user} PASSWORD 's3cr3t' CONNECTION LIMIT 0")
    database = url.rpartition("/")[2]
    assert "too many connections" in refusal(cluster.url(database, user=user, password="s3cr3t"))


def test_a_database_of_a_newer_version_is_refused(url: str) -> None:
    open_store(url).close()
    with psycopg.connect(url) as connection:
        connection.execute("INSERT INTO migrations VALUES ('999_later', 'now')")
    with pytest.raises(SchemaTooNew, match="999_later"):
        open_store(url)


def test_processes_that_start_together_migrate_the_database_once(url: str) -> None:
    with ThreadPoolExecutor(8) as threads:
        stores = list(threads.map(open_store, [url] * 8))
    assert len({(store.epoch, store.key) for store in stores}) == 1
    for store in stores:
        store.close()


def test_a_copy_of_a_database_has_another_epoch(cluster: Cluster, url: str) -> None:
    store = open_store(url)
    epoch = store.epoch
    store.append("run", line("kept"))
    store.close()
    copy = f"copy_{uuid.uuid4().hex}"
    cluster.sql(f"CREATE DATABASE {copy} TEMPLATE {url.rpartition('/')[2]}")
    opened = open_store(cluster.url(copy, password="secret"))
    assert opened.epoch != epoch
    assert texts(opened) == ["kept"]
    opened.close()


def test_deleting_the_epoch_gives_the_database_a_new_one(url: str) -> None:
    store = open_store(url)
    store.close()
    with psycopg.connect(url) as connection:
        connection.execute("DELETE FROM store_facts WHERE name = 'epoch'")
    again = open_store(url)
    assert again.epoch != store.epoch
    assert again.key == store.key
    again.close()


# running


@pytest.mark.long
def test_a_restart_of_the_server_loses_nothing(cluster: Cluster, store: Store) -> None:
    store.append("run", line("before"))
    assert texts(store) == ["before"]
    cluster.restart()
    store.append("run", line("after"))
    assert texts(store) == ["before", "after"]


def test_a_call_during_an_outage_fails_and_a_later_one_succeeds(cluster: Cluster, store: Store) -> None:
    store.append("run", line("before"))
    cluster.stop()
    try:
        with pytest.raises(StoreUnavailable) as refused:
            store.append("run", line("lost"))
        assert refused.value.retry_after > 0
        with pytest.raises(StoreUnavailable):
            texts(store)
    finally:
        cluster.start()
    store.append("run", line("after"))
    assert texts(store) == ["before", "after"]


@pytest.mark.long
def test_a_kill_of_the_server_during_appends_keeps_every_acknowledged_event_once(cluster: Cluster, url: str) -> None:
    acknowledged: list[str] = []
    stopping = threading.Event()

    def emit(writer: int) -> None:
        store = open_store(url)
        number = 0
        while not stopping.is_set():
            key = f"{writer}.{number}"
            try:
                store.append("run", line(key, key))
            except StoreUnavailable:
                time.sleep(0.05)  # The same event is sent again with its key.
                continue
            acknowledged.append(key)
            number += 1
        store.close()

    writers = [threading.Thread(target=emit, args=(number,)) for number in range(3)]
    for writer in writers:
        writer.start()
    for _ in range(3):
        enough = len(acknowledged) + 30
        wait_until(lambda enough=enough: len(acknowledged) >= enough, 60, "the writers did not continue")
        cluster.kill()
        cluster.start()
    stopping.set()
    for writer in writers:
        writer.join()
    store = open_store(url)
    stored = texts(store)
    store.close()
    assert len(stored) == len(set(stored))
    assert set(acknowledged) <= set(stored)
    for number in range(3):
        mine = [text for text in stored if text.startswith(f"{number}.")]
        assert mine == [f"{number}.{event}" for event in range(len(mine))]


def test_a_server_that_accepts_only_reads_still_shows_everything(url: str, store: Store) -> None:
    store.append("run", line("kept"))
    name = url.rpartition("/")[2].partition("?")[0]
    others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s AND pid <> pg_backend_pid()"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
        connection.execute(others, (name,))
        with pytest.raises(StoreUnavailable, match="only reads"):
            store.append("run", line("refused"))
        assert texts(store) == ["kept"]
        connection.execute("SET default_transaction_read_only = off")
        connection.execute(f"ALTER DATABASE {name} RESET default_transaction_read_only")
        connection.execute(others, (name,))
    store.append("run", line("later"))
    assert texts(store) == ["kept", "later"]


def test_an_append_waits_for_a_lock_of_another_session(url: str, store: Store) -> None:
    store.append("run", line("first"))
    with psycopg.connect(url) as other:
        other.execute("SELECT pg_advisory_xact_lock(%s)", (WRITE_LOCK,))
        with ThreadPoolExecutor(1) as thread:
            waiting = thread.submit(store.append, "run", line("second"))
            time.sleep(0.3)
            assert not waiting.done()
            assert texts(store) == ["first"]
            other.rollback()
            waiting.result(60)
    assert texts(store) == ["first", "second"]


def test_an_append_that_exceeds_the_statement_timeout_writes_nothing(url: str, store: Store) -> None:
    store.append("run", line("first"))
    hasty = open_store(f"{url}?options=-cstatement_timeout%3D1000")
    with psycopg.connect(url) as other:
        other.execute("SELECT pg_advisory_xact_lock(%s)", (WRITE_LOCK,))
        with pytest.raises(StoreUnavailable, match="too long"):
            hasty.append("run", line("refused"))
    hasty.append("run", line("second"))
    hasty.close()
    assert texts(store) == ["first", "second"]


@pytest.mark.parametrize("refused", [(0, between) for between in range(5, 9)])
def test_appends_go_on_after_failures(url: str, store: Store, refused: tuple[int, ...]) -> None:
    # The driver prepares a statement when it is used for the sixth time. A failure keeps the server from doing so.
    with psycopg.connect(url, autocommit=True) as other:
        other.execute(
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
            " IF NEW.payload LIKE '%refused%' THEN RAISE read_only_sql_transaction; END IF; RETURN NEW; END $$"
        )
        other.execute("CREATE TRIGGER refuse BEFORE INSERT ON task_events FOR EACH ROW EXECUTE FUNCTION refuse()")
    for number in range(12):
        if number in refused:
            with pytest.raises(StoreUnavailable, match="only reads"):
                store.append("run", line("refused"))
        else:
            store.append("run", line(str(number)))
    assert texts(store) == [str(number) for number in range(12) if number not in refused]


def test_no_limit_of_the_role_ends_a_long_migration(url: str, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    steps = [*migrations.known(), ("998_slow", "-- compatible-from: 001_initial\nSELECT pg_sleep(0.5)")]
    monkeypatch.setattr(migrations, "known", lambda: steps)
    limited = f"{url}?options=-cstatement_timeout%3D200%20-clock_timeout%3D200"
    with ThreadPoolExecutor(2) as threads:
        for opened in [threads.submit(open_store, limited) for _ in range(2)]:
            opened.result(60).close()


def test_a_full_disk_is_reported_until_there_is_room(cluster: Cluster, url: str, store: Store) -> None:
    store.append("run", line("first"))
    with psycopg.connect(url, autocommit=True) as connection:
        # The limit below must not stop the log of transactions, whose files have 16 MiB. So the table becomes larger.
        connection.execute(
            "INSERT INTO task_events"
            " (event_id, task_id, seq, event_type, phase, actor, span_id, payload, created_at, failure)"
            " SELECT -n, '', n, '', '', '', '', repeat('x', 1900), '', false FROM generate_series(1, 8800) AS n"
        )
        connection.execute("DELETE FROM task_events WHERE event_id < 0")
        others = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        backends = [pid for (pid,) in connection.execute(others)]
        (size,) = connection.execute("SELECT pg_relation_size('task_events')").fetchone() or (0,)
    assert size > 2**24
    stored = ["first"]

    def append_until_full() -> None:
        for number in range(30):
            text = f"{number} " + "x" * 1500
            store.append("run", line(text))
            stored.append(text)

    # A real write of the server fails: half of the next block of the table fits.
    for backend in backends:
        cluster.limit_files(backend, size + 4096)
    with pytest.raises(StoreFull, match="wrote only 4096 of 8192 bytes"):
        append_until_full()
    assert [code for code, _ in store.problems] == ["disk_full"]
    assert texts(store) == stored
    for backend in backends:
        cluster.limit_files(backend, None)
    store.append("run", line("second"))
    assert store.problems == []
    assert texts(store) == [*stored, "second"]

"""Test the parts that are specific to SQLite: locks held by others, constraints in the database, migrations."""

from __future__ import annotations

import re
import sqlite3
import threading
import time
from pathlib import Path

import pytest

from signalbox.store import NewEvent, SchemaTooNew, StoreUnavailable, UnknownStoreKind, open_store
from signalbox.store.sql.group_commit import job
from signalbox.store.sqlite import SqliteStore
from tests.support.quick_schema import use_copied_schema, use_migrations

LOG = NewEvent(event_type="log")


@pytest.fixture(autouse=True)
def migrated(monkeypatch: pytest.MonkeyPatch) -> None:
    use_migrations(monkeypatch)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "signalbox.db"


def opened(path: Path) -> SqliteStore:
    return open_store(f"sqlite:///{path}")


def test_an_append_waits_while_another_process_writes(path: Path) -> None:
    store = opened(path)
    other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    started_at = time.monotonic()
    threading.Timer(0.7, lambda: other.execute("COMMIT")).start()
    assert store.append("run", LOG)[0].seq == 1
    assert time.monotonic() - started_at >= 0.6
    store.close()


def test_a_database_that_stays_busy_raises_an_error_that_a_retry_helps(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job, "JOB_TIMEOUT", 0.3)
    store = opened(path)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreUnavailable, match="busy") as caught:
        store.append("run", LOG)
    assert caught.value.retryable
    other.execute("ROLLBACK")
    assert store.append("run", LOG)[0].seq == 1
    store.close()


def test_opening_a_database_does_not_wait_for_other_processes(path: Path) -> None:
    opened(path).close()
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    started_at = time.monotonic()
    opened(path).close()
    assert time.monotonic() - started_at < 15, "it waited for the lock, as a write does for 35 seconds"
    other.execute("ROLLBACK")


def test_creating_the_tables_waits_for_a_write_of_another_process(path: Path) -> None:
    other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    other.execute("PRAGMA journal_mode = WAL")
    other.execute("BEGIN IMMEDIATE")
    threading.Timer(0.7, lambda: other.execute("ROLLBACK")).start()
    store = opened(path)
    assert store.append("run", LOG)[0].seq == 1
    store.close()


@pytest.mark.parametrize(
    "column",
    ["seq = 0", "seq = -1", "event_type = ''", "actor = ''", "span_id = ''"],
)
def test_constraints_in_the_database_enforce_the_model(path: Path, column: str) -> None:
    store = opened(path)
    store.append("run", LOG)
    store.close()
    with pytest.raises(sqlite3.IntegrityError), sqlite3.connect(path) as raw:
        raw.execute(f"UPDATE task_events SET {column}")


def test_the_tables_and_indexes_of_the_contract_exist(path: Path) -> None:
    opened(path).close()
    with sqlite3.connect(path) as raw:
        tables = {name for (name,) in raw.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        indexed = {
            tuple(column[2] for column in raw.execute(f"PRAGMA index_info({name})"))[:2]
            for (_, name, *_) in raw.execute("PRAGMA index_list(task_events)")
        }
        assert raw.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert {"tasks", "task_events", "task_event_seq_counters", "task_audits"} <= tables
    assert {("task_id", name) for name in ("seq", "created_at", "parent_span_id", "phase")} <= indexed


def test_a_database_of_a_newer_version_is_not_opened_or_changed(path: Path) -> None:
    opened(path).close()
    with sqlite3.connect(path) as raw:
        raw.execute("INSERT INTO migrations VALUES ('999_future', '2030-01-01')")
    with pytest.raises(SchemaTooNew, match="999_future"):
        opened(path)


def test_two_processes_opening_a_new_database_migrate_it_once(path: Path) -> None:
    stores: list[SqliteStore] = []
    threads = [threading.Thread(target=lambda: stores.append(opened(path))) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({store.epoch for store in stores}) == 1
    assert len(stores) == 6
    for store in stores:
        store.close()


@pytest.mark.parametrize("url", ["", "signalbox.db", "sqlite://", "sqlite:///", "mysql://x"])
def test_an_invalid_store_url_is_refused_with_an_example(url: str) -> None:
    with pytest.raises(UnknownStoreKind, match="sqlite:///"):
        open_store(url)


def test_the_error_names_a_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable, match="nowhere"):
        open_store(f"sqlite:///{tmp_path}/nowhere/x.db")


def test_the_copied_schema_that_tests_use_equals_the_migrated_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def content(name: str) -> dict[str, list[str]]:
        opened(tmp_path / name).close()
        connection = sqlite3.connect(tmp_path / name)
        found = {"schema": connection.execute("SELECT type, name, tbl_name, sql FROM sqlite_master").fetchall()}
        for table in (row[1] for row in found["schema"] if row[0] == "table"):
            found[table] = connection.execute(f"SELECT * FROM {table}").fetchall()
        connection.close()
        without_times = re.compile(r"20\d\d-[-:.T\dZ]+|[0-9A-HJKMNP-TV-Z]{26}|[0-9a-f]{64}")
        return {name: sorted(without_times.sub("", str(row)) for row in rows) for name, rows in found.items()}

    migrated = content("migrated.db")
    assert migrated["migrations"]
    monkeypatch.undo()
    use_copied_schema()
    assert content("copied.db") == migrated

"""Test that a large write-ahead log is emptied as soon as nobody reads from it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from signalbox.store import NewEvent, open_store
from signalbox.store.sqlite import checkpoints

LINES = [NewEvent(event_type="log", payload={"message": "x" * 1000})] * 200


def test_a_large_log_is_emptied_once_nobody_reads_from_it(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoints, "LARGE_LOG", 100_000)
    monkeypatch.setattr(checkpoints, "PAUSE_SECONDS", 0.0)
    log = tmp_path / "signalbox.db-wal"
    with closing(open_store(url)) as store, closing(open_store(url)) as other:
        store.append("run", LINES[0])
        other.append("run", LINES[0])
        with closing(sqlite3.connect(tmp_path / "signalbox.db", isolation_level=None)) as reader:
            reader.execute("BEGIN")
            reader.execute("SELECT count(*) FROM task_events").fetchall()
            store.append("run", LINES)
            size = log.stat().st_size
            assert size > checkpoints.LARGE_LOG
            store.check()
            assert log.stat().st_size >= size, "a reader needs the log"
            store.append("run", LINES[0])
        store.check()
        assert log.stat().st_size == 0
        for one in (store, other):
            one.append("run", LINES[0])
            one.check()
            assert one.problems == []


def test_a_small_log_is_left_alone(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[Path] = []
    monkeypatch.setattr(checkpoints, "empty_log", called.append)
    with closing(open_store(url)) as store:
        store.append("run", LINES[0])
        store.check()
    assert called == []


def test_no_writer_waits_for_a_reader_while_the_log_is_emptied(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite waits for readers with the lock of the writers, so the wait is limited."""
    with closing(open_store(url)) as store:
        store.append("run", LINES)
        with closing(sqlite3.connect(tmp_path / "signalbox.db", isolation_level=None)) as reader:
            reader.execute("BEGIN")
            reader.execute("SELECT count(*) FROM task_events").fetchall()
            store.append("run", LINES[0])
            waits: list[int] = []
            connect = sqlite3.connect

            class Watched(sqlite3.Connection):
                def execute(self, sql: str, *values: object) -> sqlite3.Cursor:
                    if "TRUNCATE" in sql:
                        waits.append(super().execute("PRAGMA busy_timeout").fetchone()[0])
                    return super().execute(sql, *values)

            monkeypatch.setattr(sqlite3, "connect", lambda *a, **k: connect(*a, factory=Watched, **k))
            assert not checkpoints.empty_log(tmp_path / "signalbox.db")
            monkeypatch.undo()
    assert len(waits) == checkpoints.ATTEMPTS
    assert max(waits) <= 20

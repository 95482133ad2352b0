"""The file of a spool: a SQLite database, because it must survive a kill at any point and be shared by processes.

A record is committed before the call that keeps it returns, with `synchronous=NORMAL` in write-ahead mode: it survives
the death of every process, and a loss of power may take the last records. SQLite finds a torn last transaction by its
checksum and leaves it out.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

from signalbox.store.spool.dropping import delete, grow, make_room
from signalbox.store.spool.hook_calls import HookCalls
from signalbox.store.spool.records import COLUMNS, Record
from signalbox.store.times import now

WINDOW_RECORDS, WINDOW_BYTES = 1000, 1024 * 1024
"""The records that are taken at once for sending, at most."""

LOCK_TIMEOUT_S = 5.0
"""Seconds to wait for another process that writes."""

_SCHEMA = """
CREATE TABLE records (
  number     INTEGER PRIMARY KEY AUTOINCREMENT,
  kind       TEXT NOT NULL,
  task_id    TEXT NOT NULL,
  identity   TEXT NOT NULL,
  importance INTEGER NOT NULL,
  is_line    INTEGER NOT NULL,
  body       BLOB NOT NULL,
  size       INTEGER NOT NULL
);
CREATE INDEX records_importance ON records (importance);
CREATE INDEX records_notices ON records (task_id) WHERE kind = 'notice';
CREATE TABLE refused (
  number   INTEGER PRIMARY KEY,
  kind     TEXT NOT NULL,
  task_id  TEXT NOT NULL,
  identity TEXT NOT NULL,
  importance INTEGER NOT NULL,
  is_line  INTEGER NOT NULL,
  body     BLOB NOT NULL,
  size     INTEGER NOT NULL,
  reason   TEXT NOT NULL,
  at       TEXT NOT NULL
);
-- The bytes of both tables, the newest number that is being sent, and how much was ever dropped.
CREATE TABLE state (url TEXT NOT NULL, bytes INTEGER NOT NULL, sending INTEGER NOT NULL, dropped INTEGER NOT NULL);
PRAGMA user_version = 1;
"""


class Contents(NamedTuple):
    """The numbers of a spool. `bytes` counts the waiting and the refused records, `refused` the latter by reason.

    `dropped` is the number of records that were ever dropped because the spool was full.
    """

    url: str
    waiting: int
    bytes: int
    refused: dict[str, int]
    dropped: int


class SpoolFile:
    """The records that wait for the server at `url`. Safe to use from any thread, and after `fork`.

    All methods raise sqlite3.Error or OSError if the file cannot be used, for example because the disk is full.
    """

    def __init__(self, path: Path, url: str, bound: int) -> None:
        self.path, self._url, self._bound = path, url, bound
        self._connection: sqlite3.Connection | None = None
        self._inherited: list[sqlite3.Connection] = []
        self._lock = threading.RLock()
        self.hook_calls = HookCalls(path.parent)

    def hold(self, timeout: float) -> bool:
        """Keep other threads out of the file until `let_go`. Returns False if that fails within `timeout` seconds."""
        return self._lock.acquire(timeout=timeout)

    def let_go(self) -> None:
        """Undo `hold`."""
        self._lock.release()

    def after_fork(self) -> None:
        """Leave the connection to the parent process. Closing it here could disturb the parent."""
        if self._connection is not None:
            self._inherited.append(self._connection)
        self._connection, self._lock = None, threading.RLock()

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def has_records(self) -> bool:
        """Return whether records wait, also those that `take_hook_calls` would take. Creates no file."""
        if self.hook_calls.exist():
            return True
        if self._connection is None and not self.path.exists():
            return False
        return bool(self._read("SELECT EXISTS (SELECT 1 FROM records)")[0][0])

    def keep(self, records: Sequence[Record]) -> None:
        """Add records at the end. If the spool is over its bound, the least important of the oldest are dropped."""
        with self._write() as db:
            rows = [(*record[:6], record.size) for record in records]
            db.executemany(f"INSERT INTO records ({COLUMNS}, size) VALUES (?, ?, ?, ?, ?, ?, ?)", rows)
            if grow(db, sum(row[-1] for row in rows)) > self._bound:
                make_room(db, self._bound)

    def take_hook_calls(self) -> None:
        """Add the calls that hooks left beside the database. Only the holder of the lock for sending may do this."""
        if self.hook_calls.exist():
            # A death before `forget` adds them twice. The server gives both the same keys, so it stores one.
            self.keep(self.hook_calls.take())
            self.hook_calls.forget()

    def window(self) -> list[Record]:
        """Return the first records, and protect them against being dropped until the next call."""
        with self._write() as db:
            found: list[Record] = []
            total = 0
            for row in db.execute(f"SELECT {COLUMNS}, number FROM records ORDER BY number LIMIT {WINDOW_RECORDS}"):
                record = Record(*row)
                total += len(record.body)
                if found and total > WINDOW_BYTES:
                    break
                found.append(record)
            db.execute("UPDATE state SET sending = ?", (found[-1].number if found else 0,))
            return found

    def remove(self, records: Iterable[Record]) -> None:
        """Remove records that the server has stored."""
        with self._write() as db:
            delete(db, "records", [(record.number, record.size) for record in records])

    def refuse(self, records: Sequence[Record], reason: str) -> None:
        """Set records aside that the server refused."""
        at = now()
        with self._write() as db:
            rows = [(*record[:6], record.size, record.number, reason[:500], at) for record in records]
            marks = ", ".join("?" * 10)
            db.executemany(f"INSERT INTO refused ({COLUMNS}, size, number, reason, at) VALUES ({marks})", rows)
            db.executemany("DELETE FROM records WHERE number = ?", [(record.number,) for record in records])

    def restore_refused(self) -> int:
        """Make the refused records wait again, at their earlier places. Returns their number."""
        with self._write() as db:
            columns = f"number, {COLUMNS}, size"
            db.execute(f"INSERT INTO records ({columns}) SELECT {columns} FROM refused")
            return db.execute("DELETE FROM refused").rowcount

    def discard(self, *, refused_only: bool) -> int:
        """Delete the records for good. Returns their number."""
        with self._write() as db:
            count = 0 if refused_only else self.hook_calls.discard()
            for table in ("refused",) if refused_only else ("refused", "records"):
                rows = db.execute(f"SELECT number, size FROM {table}").fetchall()
                delete(db, table, rows)
                count += len(rows)
            return count

    def shrink(self) -> None:
        """Give the space of removed records back to the file system."""
        with self._lock:
            self._open().execute("PRAGMA incremental_vacuum").fetchall()

    def contents(self) -> Contents:
        """Return the numbers of the spool."""
        ((url, size, dropped),) = self._read("SELECT url, bytes, dropped FROM state")
        ((waiting,),) = self._read("SELECT count(*) FROM records")
        refused = self._read("SELECT reason, count(*) FROM refused GROUP BY reason ORDER BY count(*) DESC")
        calls = self.hook_calls.contents()
        return Contents(url, waiting + len(calls), size + sum(calls), dict(refused), dropped)

    def _read(self, sql: str) -> list[Any]:
        with self._lock:
            return self._open().execute(sql).fetchall()

    @contextmanager
    def _write(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            db = self._open()
            db.execute("BEGIN IMMEDIATE")
            try:
                yield db
                db.execute("COMMIT")
            except BaseException:
                with suppress(sqlite3.Error):
                    db.execute("ROLLBACK")
                raise

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            self._connection = _opened(self.path, self._url)
        return self._connection


def _opened(path: Path, url: str) -> sqlite3.Connection:
    """Open the file, and create it with its folder for this user only."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # SQLite gives its other files the mode of this one.
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    db = sqlite3.connect(path, timeout=LOCK_TIMEOUT_S, isolation_level=None, check_same_thread=False)
    try:
        db.execute("PRAGMA auto_vacuum = INCREMENTAL")
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = NORMAL")
        db.execute("BEGIN IMMEDIATE")
        if db.execute("PRAGMA user_version").fetchone()[0] == 0:
            for statement in _SCHEMA.split(";\n"):
                db.execute(statement)
            db.execute("INSERT INTO state VALUES ('', 0, 0, 0)")
        if url:
            db.execute("UPDATE state SET url = ? WHERE url = ''", (url,))
        db.execute("COMMIT")
    except BaseException:
        db.close()
        raise
    return db

"""A SQLite file as one side of a move."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import msgspec

from signalbox.store.kinds import sqlite_path, sqlite_url
from signalbox.store.moving.errors import MoveRefused, SwitchTooSlow, UnreadableRow
from signalbox.store.moving.side import DatabaseSide
from signalbox.store.moving.sqlite_reservation import Reservation
from signalbox.store.moving.sqlite_types import check_types
from signalbox.store.moving.tables import ALL, COUNTED, EVENTS, OF_TASKS, TASKS, Row, Table
from signalbox.store.sqlite import compression
from signalbox.store.sqlite.connection import connect, create_private, is_busy, private, translated
from signalbox.store.sqlite.damaged import is_not_text
from signalbox.store.sqlite.database import SqliteDatabase
from signalbox.store.sqlite.file import DatabaseFile
from signalbox.store.sqlite.migrations import applied, known, migrate
from signalbox.store.sqlite.payloads import TEXT, Places, compressed_rows
from signalbox.store.sqlite.refold import refold_waiting
from signalbox.store.sqlite.views import SQLITE

LOCK_TIMEOUT = 30.0
"""Seconds to wait for the lock of the writers, before they have to wait for this program."""

CACHE_KIB = 65_536
"""Memory for pages of the file. The indexes of the log are written in random order."""

_TEXTS = {name: f"coalesce({TEXT.format(name)}, {name}) AS {name}" for name in ("payload", "plain")}
"""Long payloads are stored compressed, and moved as texts."""

_PLACES = Places.among(EVENTS.names)
_COUNTER = ("task_id", "identity", "last_seq")
_TASKS = "(SELECT tasks.*, identity, last_seq FROM tasks LEFT JOIN task_event_seq_counters USING (task_id))"


class SqliteSide(DatabaseSide):
    """Implements `DatabaseSide` for the file at `path`. The file of a target is created if it does not exist."""

    dialect = SQLITE

    def __init__(self, path: Path, *, target: bool) -> None:
        self.path = path
        if not path.parent.is_dir():
            raise MoveRefused(f"there is no directory {path.parent} for the database")
        if not target and not path.is_file():
            raise MoveRefused(f"there is no database {path}")
        self.url = sqlite_url(path)
        self._known_types: dict[str, set[tuple[type, ...]]] = {}
        self._reading: set[sqlite3.Cursor] = set()
        self._file: DatabaseFile | None = None
        self._reservation = Reservation(path)
        try:
            self._db = self._connect_alone() if target else self._connect()
        except BaseException:
            self._reservation.release()
            raise
        if not target:
            self._file = DatabaseFile(path)
            self._file.opened()
        self._db.execute("PRAGMA foreign_keys = OFF")
        self._db.execute(f"PRAGMA cache_size = -{CACHE_KIB}")

    def _connect(self) -> SqliteDatabase:
        with _errors():
            db = connect(self.path, "NORMAL", make=False)
            # The first read makes the write-ahead log. It would later count as the log of another file.
            db.execute("SELECT 1 FROM sqlite_schema LIMIT 1").fetchone()
            return db

    def _connect_alone(self) -> SqliteDatabase:
        """Open the file with SQLite's exclusive lock, so that no other program can use it until it is closed."""
        create_private(self.path)
        try:
            return connect(self.path, "NORMAL", make=False, alone=True)
        except sqlite3.DatabaseError as error:
            if not is_busy(error):
                raise translated(error) from error
            raise MoveRefused(f"{self.path} is in use by another program; stop that program first") from None

    @property
    def keeps_secrets(self) -> bool:
        return private(self.path)

    # transactions

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        with _errors():
            self._db.execute("BEGIN")
            try:
                yield
            finally:
                self._end("ROLLBACK")

    @contextmanager
    def writing(self, *, durable: bool = False) -> Iterator[None]:
        with _errors():
            self._db.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
            self._begin()
            try:
                yield
                if self._file is not None:
                    self._file.check()
                self._db.execute("COMMIT")
            finally:
                self._end("ROLLBACK")

    @contextmanager
    def locked(self, seconds: float) -> Iterator[None]:
        with self.writing(durable=True):
            yield

    def _begin(self) -> None:
        until = time.monotonic() + LOCK_TIMEOUT
        while True:
            try:
                self._db.execute("BEGIN IMMEDIATE")
                return
            except sqlite3.OperationalError as error:
                if not is_busy(error) or time.monotonic() > until:
                    raise

    def _end(self, how: str) -> None:
        # A query that is not read to its end would keep its state of the file, and SQLite would refuse later writes.
        for cursor in list(self._reading):
            cursor.close()
        self._reading.clear()
        if self._db.in_transaction:
            with suppress(sqlite3.Error):
                self._db.execute(how)

    def cancel(self) -> None:
        self._db.interrupt()

    # life

    def is_at(self, url: str) -> bool:
        path = sqlite_path(url)
        return path is not None and path.exists() and path.samefile(self.path)

    def schema(self) -> tuple[set[str], set[str]]:
        found, names = applied(self._db), {name for name, _ in known()}
        return names - found, found - names

    @property
    def exists(self) -> bool:
        with _errors():
            return bool(applied(self._db))

    def create(self) -> None:
        with _errors():
            migrate(self._db)
            refold_waiting(self._db)
            self._db.compresses = compression.begin(self._db)
            self._db.execute("PRAGMA foreign_keys = OFF")

    def tune(self) -> None:
        """Do nothing: SQLite's planner needs no statistics for the queries of the store."""

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
        self._db.close()
        self._reservation.release()

    # rows

    def rows(self, sql: str, *values: object) -> Iterator[Row]:
        with _errors():
            cursor = self._db.execute(sql, values)
            self._reading.add(cursor)
            try:
                yield from cursor
            finally:
                self._reading.discard(cursor)

    def select(self, table: Table, rest: str = "", *values: object) -> Iterator[Row]:
        source = f"{_TASKS} AS tasks" if table is TASKS else table.name
        columns = ", ".join(_TEXTS.get(name, name) if table is EVENTS else name for name in table.names)
        return self._checked(table, f"SELECT {columns} FROM {source} {rest}", *values)

    def changed(self, table: Table, since: dict[str, int]) -> Iterator[Row]:
        # CROSS JOIN makes SQLite look up each task in the index.
        columns = ", ".join(f"part.{name}" for name in table.names)
        sql = (
            f"SELECT {columns} FROM json_each(?) AS wanted CROSS JOIN {table.name} AS part"
            f" ON part.task_id = wanted.key AND part.{table.changed} > wanted.value"
        )
        return self._checked(table, sql, msgspec.json.encode(since).decode())

    def _checked(self, table: Table, sql: str, *values: object) -> Iterator[Row]:
        accepted = self._known_types.setdefault(table.name, set())
        for row in self.rows(sql, *values):
            types = tuple(map(type, row))
            if types not in accepted:
                check_types(table, row)
                accepted.add(types)
            yield row

    def insert(self, table: Table, rows: Sequence[Row]) -> None:
        if table is TASKS:
            places = TASKS.places(*_COUNTER)
            kept = [place for place in range(len(TASKS.columns)) if place not in places[1:]]
            self._insert("task_event_seq_counters", _COUNTER, [tuple(row[p] for p in places) for row in rows])
            names = [TASKS.names[place] for place in kept]
            self._insert("tasks", names, [tuple(row[place] for place in kept) for row in rows])
        else:
            compresses = table is EVENTS and self._db.compresses
            stored = compressed_rows(rows, self._db.compressor, _PLACES) if compresses else rows
            self._insert(table.name, table.names, stored)

    def _insert(self, name: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        sql = f"INSERT INTO {name} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"
        self._db.executemany(sql, rows)

    def delete(self, table: Table, keys: Sequence[Row]) -> None:
        where = " AND ".join(f"{name} = ?" for name in table.key)
        self._db.executemany(f"DELETE FROM {table.name} WHERE {where}", keys)
        if table is TASKS:
            self._db.executemany("DELETE FROM task_event_seq_counters WHERE task_id = ?", keys)

    def delete_tasks(self, task_ids: Sequence[str]) -> None:
        for name in (*(table.name for table in OF_TASKS), "task_unfinished", "task_event_seq_counters"):
            self._db.executemany(f"DELETE FROM {name} WHERE task_id = ?", [(task_id,) for task_id in task_ids])

    def empty(self) -> None:
        for name in (*(table.name for table in ALL), "task_event_seq_counters"):
            self._db.execute(f"DELETE FROM {name}")
        self.set_last_ids(dict.fromkeys(COUNTED, 0))

    # state of the database

    def facts(self) -> dict[str, str]:
        if not self.exists:
            return {}
        return {
            name: value for name, value in self.rows("SELECT name, value FROM store_facts") if isinstance(value, str)
        }

    def set_facts(self, facts: dict[str, str | None]) -> None:
        for name, value in facts.items():
            self._db.execute("DELETE FROM store_facts WHERE name = ?", (name,))
            if value is not None:
                self._db.execute("INSERT INTO store_facts VALUES (?, ?)", (name, value))

    def last_ids(self) -> dict[str, int]:
        found: dict[str, int] = dict(self.rows("SELECT name, seq FROM sqlite_sequence"))
        return {name: int(found.get(name, 0)) for name in COUNTED}

    def set_last_ids(self, ids: dict[str, int]) -> None:
        for name, last_id in ids.items():
            self._db.execute("DELETE FROM sqlite_sequence WHERE name = ?", (name,))
            self._db.execute("INSERT INTO sqlite_sequence VALUES (?, ?)", (name, last_id))

    def freeze(self) -> None:
        for name, table, act in _triggers():
            self._db.execute(
                f"CREATE TRIGGER {name} BEFORE {act} ON {table}"
                " BEGIN SELECT RAISE(ABORT, 'the store was moved: see moved_to in store_facts'); END"
            )

    def thaw(self) -> None:
        for name, _, _ in _triggers():
            self._db.execute(f"DROP TRIGGER IF EXISTS {name}")


def _triggers() -> Iterator[tuple[str, str, str]]:
    """Yield the name, the table and the statement of each trigger that refuses a write."""
    for table in (*(table.name for table in ALL), "task_event_seq_counters"):
        for act in ("INSERT", "UPDATE", "DELETE"):
            yield f"moved_{table}_{act.lower()}", table, act


@contextmanager
def _errors() -> Iterator[None]:
    """Raise SQLite's errors as the store's."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_INTERRUPT:
            raise SwitchTooSlow("the switch took too long") from error
        if is_not_text(error):
            raise UnreadableRow("a stored text is not valid UTF-8") from error
        raise translated(error) from error

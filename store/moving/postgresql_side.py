"""A PostgreSQL database as one side of a move."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from itertools import count
from typing import Any

import psycopg

from signalbox.store.kinds import is_postgresql
from signalbox.store.moving.errors import MoveRefused, SwitchTooSlow
from signalbox.store.moving.side import DatabaseSide, value_of
from signalbox.store.moving.tables import ALL, COUNTED, EVENTS, OF_TASKS, Column, Row, Table
from signalbox.store.postgresql.connection import Address
from signalbox.store.postgresql.database import derived_columns, with_driver_placeholders
from signalbox.store.postgresql.dialect import POSTGRESQL
from signalbox.store.postgresql.errors import translated
from signalbox.store.postgresql.migrations import applied, facts_of, identity_of, known, migrate
from signalbox.store.postgresql.moved import freeze, thaw
from signalbox.store.postgresql.texts import NUL, SHORTENED, full_key, restored, stored_key
from signalbox.store.postgresql.write_lock import WRITE_LOCK

MOVE_LOCK = WRITE_LOCK + 2
"""The key of the advisory lock that a move holds on each of its databases."""

LOCK_TIMEOUT = 30
"""Seconds to wait for the lock of the writers, before they have to wait for this program."""

LINGERING = 0.5
"""Seconds for which the locks of a program that has ended may still be taken."""

FETCHED_ROWS = 250
"""Rows that are fetched together. One may have 256 KiB."""

CANCEL_TIMEOUT = 1.0
"""Seconds to ask the server to cancel a statement. Then the connection is cut."""

ROLLBACKS = 3
"""Attempts to roll back. Only one cancellation is sent for a transaction."""

_ARRAYS = {"int": "bigint[]", "text": "text[]", "key": "text[]"}


class PostgresSide(DatabaseSide):
    """Implements `DatabaseSide` for the database at `url`."""

    dialect = POSTGRESQL
    keeps_secrets = True

    def __init__(self, url: str, *, target: bool) -> None:
        self.url = url
        self._db = Address(url).connect()
        if self._db.proxied:
            self._db.close()
            raise MoveRefused(
                "a move or a backup needs the URL of the PostgreSQL server itself: its locks belong to one connection,"
                " and a proxy such as PgBouncer may let other clients use that connection"
            )
        self._numbers = count()
        # The planner then expects that all rows of a cursor are read, and sorts large tables.
        self._db.execute("SET cursor_tuple_fraction = 1; SET jit = off; SET synchronous_commit = off")
        if not self._takes(MOVE_LOCK):
            self._db.close()
            raise MoveRefused("another `signalbox migrate-store` uses the PostgreSQL database now")
        if target and not self._takes(WRITE_LOCK):
            self._db.close()
            raise MoveRefused(
                "another program writes to the PostgreSQL database of the target; stop that program first"
            )

    def _takes(self, key: int) -> bool:
        """Take a lock, for which this waits a moment: a server keeps those of a connection that was just closed."""
        until = time.monotonic() + LINGERING
        while not value_of(self._db.execute("SELECT pg_try_advisory_lock(%s)", (key,)).fetchone()):
            if time.monotonic() > until:
                return False
            time.sleep(0.05)
        return True

    # transactions

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        with _errors(), self._transaction("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"):
            yield

    @contextmanager
    def writing(self, *, durable: bool = False) -> Iterator[None]:
        with _errors(), self._transaction("BEGIN"):
            if durable:
                self._db.execute("SET LOCAL synchronous_commit = on")
            yield

    @contextmanager
    def locked(self, seconds: float) -> Iterator[None]:
        with _errors(), self._transaction("BEGIN"):
            milliseconds = round(seconds * 1000)
            self._db.execute(
                f"SET LOCAL synchronous_commit = on; SET LOCAL lock_timeout = '{LOCK_TIMEOUT}s';"
                # The server itself ends the wait of the writers if this program stops or is cut off.
                f" SET LOCAL idle_in_transaction_session_timeout = {milliseconds};"
                f" SELECT pg_advisory_xact_lock({WRITE_LOCK}); SET LOCAL statement_timeout = {milliseconds}"
            )
            yield

    @contextmanager
    def _transaction(self, begin: str) -> Iterator[None]:
        self._db.execute(begin.encode())
        try:
            yield
            self._db.execute("COMMIT")
        except BaseException:
            self._roll_back()
            raise

    def _roll_back(self) -> None:
        """Roll back. A cancellation that arrives late ends the ROLLBACK, so it is tried again."""
        for _ in range(ROLLBACKS):
            with suppress(psycopg.Error):
                self._db.execute("ROLLBACK")
                return

    def cancel(self) -> None:
        try:
            self._db.cancel_safe(timeout=CANCEL_TIMEOUT)
        except psycopg.Error:
            with suppress(OSError, psycopg.Error), socket.socket(fileno=socket.dup(self._db.fileno())) as connection:
                connection.shutdown(socket.SHUT_RDWR)

    # life

    def is_at(self, url: str) -> bool:
        if not (is_postgresql(url) and self.exists):
            return False
        with _errors(), closing(Address(url).connect()) as other:
            return bool(applied(other)) and identity_of(self._db) == identity_of(other)

    def schema(self) -> tuple[set[str], set[str]]:
        found, names = applied(self._db), {name for name, _ in known()}
        return names - found, found - names

    @property
    def exists(self) -> bool:
        return bool(applied(self._db))

    def create(self) -> None:
        with _errors():
            migrate(self._db)
            facts_of(self._db)

    def tune(self) -> None:
        """Collect statistics for the planner, which would otherwise choose slow plans at first."""
        with _errors():
            self._db.execute("ANALYZE")

    def close(self) -> None:
        self._db.close()

    # rows

    def rows(self, sql: str, *values: object) -> Iterator[Row]:
        with _errors(), self._db.cursor(name=f"rows_{next(self._numbers)}") as cursor:
            cursor.itersize = FETCHED_ROWS
            cursor.execute(with_driver_placeholders(sql).encode(), values)
            yield from cursor

    def select(self, table: Table, rest: str = "", *values: object) -> Iterator[Row]:
        columns = ", ".join(_selected(column) for column in table.columns)
        return self._restored(table, f"SELECT {columns} FROM {table.name} {rest}", *values)

    def changed(self, table: Table, since: dict[str, int]) -> Iterator[Row]:
        columns = ", ".join(_selected(column, "part.") for column in table.columns)
        sql = (
            f"SELECT {columns} FROM unnest(?::text[], ?::bigint[]) AS wanted (id, seq)"
            f" JOIN {table.name} AS part ON part.task_id = wanted.id AND part.{table.changed} > wanted.seq"
        )
        return self._restored(table, sql, list(since), list(since.values()))

    def _restored(self, table: Table, sql: str, *values: object) -> Iterator[Row]:
        """Yield the rows of a query with the texts as they were given."""
        texts = [place for place, column in enumerate(table.columns) if column.kind in ("text", "key")]
        key = next((place for place, column in enumerate(table.columns) if column.kind == "key"), None)
        for row in self.rows(sql, *values):
            if any(row[place] is not None and NUL in row[place] for place in texts):
                row = tuple(restored(value) if place in texts and value else value for place, value in enumerate(row))
            if key is not None and SHORTENED in row[key]:
                full = full_key(table.columns[key].name, row[key], row[table.names.index("state")])
                row = (*row[:key], full, *row[key + 1 :])
            yield row

    def insert(self, table: Table, rows: Sequence[Row]) -> None:
        keys = [place for place, column in enumerate(table.columns) if column.kind == "key"]
        names = (*table.names, "failure", "brief") if table is EVENTS else table.names
        event_type, payload = EVENTS.places("event_type", "payload")
        copy = f"COPY {table.name} ({', '.join(names)}) FROM STDIN"
        with self._db.cursor() as cursor, cursor.copy(copy.encode()) as writer:
            for row in rows:
                if table is EVENTS:
                    row = (*row, *derived_columns(row[event_type], row[payload]))
                elif keys:
                    row = tuple(stored_key(value) if place in keys else value for place, value in enumerate(row))
                writer.write_row(row)

    def delete(self, table: Table, keys: Sequence[Row]) -> None:
        kinds = {column.name: column.kind for column in table.columns}
        columns = [
            [stored_key(value) if kinds[name] == "key" else value for value in column]
            for name, column in zip(table.key, zip(*keys, strict=True), strict=True)
        ]
        arrays = ", ".join(f"%s::{_ARRAYS[kinds[name]]}" for name in table.key)
        same = " AND ".join(f"{table.name}.{name} = gone.{name}" for name in table.key)
        sql = f"DELETE FROM {table.name} USING unnest({arrays}) AS gone ({', '.join(table.key)}) WHERE {same}"
        self._db.execute(sql.encode(), columns)

    def delete_tasks(self, task_ids: Sequence[str]) -> None:
        for name in (*(table.name for table in OF_TASKS), "task_unfinished"):
            self._db.execute(f"DELETE FROM {name} WHERE task_id = ANY(%s)".encode(), (list(task_ids),))

    def empty(self) -> None:
        self._db.execute(f"TRUNCATE {', '.join(table.name for table in ALL)}".encode())
        self.set_last_ids(dict.fromkeys(COUNTED, 0))

    # state of the database

    def facts(self) -> dict[str, str]:
        with _errors():
            return dict(self._db.execute("SELECT name, value FROM store_facts").fetchall()) if self.exists else {}

    def set_facts(self, facts: dict[str, str | None]) -> None:
        for name, value in facts.items():
            self._db.execute("DELETE FROM store_facts WHERE name = %s", (name,))
            if value is not None:
                self._db.execute("INSERT INTO store_facts VALUES (%s, %s)", (name, value))

    def last_ids(self) -> dict[str, int]:
        found = {"task_events": int(self._value("SELECT last_event_id FROM log_position"))}
        for table in COUNTED[1:]:
            sequence = self._sequence(table)
            found[table] = int(self._value(f"SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM {sequence}"))
        return found

    def set_last_ids(self, ids: dict[str, int]) -> None:
        self._db.execute("UPDATE log_position SET last_event_id = %s, commits = commits + 1", (ids["task_events"],))
        for table in COUNTED[1:]:
            self._db.execute(
                "SELECT setval(%s::regclass, greatest(%s, 1), %s)", (self._sequence(table), ids[table], ids[table] > 0)
            )

    def _sequence(self, table: str) -> str:
        column = next(found.key[0] for found in ALL if found.name == table)
        return str(self._value(f"SELECT pg_get_serial_sequence('{table}', '{column}')"))

    def _value(self, sql: str) -> Any:
        return value_of(self._db.execute(sql.encode()).fetchone())

    def freeze(self) -> None:
        freeze(self._db)

    def thaw(self) -> None:
        thaw(self._db)


def _selected(column: Column, prefix: str = "") -> str:
    return f"{prefix}{column.name}::int" if column.kind == "bool" else f"{prefix}{column.name}"


@contextmanager
def _errors() -> Iterator[None]:
    """Raise PostgreSQL's errors as the store's."""
    try:
        yield
    except psycopg.errors.QueryCanceled as error:
        raise SwitchTooSlow("the switch took too long") from error
    except psycopg.Error as error:
        raise translated(error) from error

"""A write transaction on a connection in pipeline mode: statements are sent without waiting for their results."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any

import psycopg

from signalbox.store.failures import reports_failure
from signalbox.store.postgresql.dialect import POSTGRESQL
from signalbox.store.postgresql.text_index import PostgresTextIndex
from signalbox.store.postgresql.write_lock import WRITE_LOCK
from signalbox.store.sql.rows import COLUMNS, to_json
from signalbox.store.sql.short_payloads import MAX_PAYLOAD_CHARS, shortened
from signalbox.store.state import Task

LOCK_TIMEOUT = 5
"""Seconds to wait for the write lock. Then the writer checks the deadlines of its callers, and waits again."""

IDLE_TIMEOUT = 30
"""Seconds without a statement after which the server ends a write transaction. Its process may be gone or stopped."""

SLOTS = 1000
"""The number of rows of `recent_commits`."""

# One statement sets the timeouts and takes the lock, which saves messages. The timeouts apply to this transaction only.
LOCK = (
    f"SELECT set_config('lock_timeout', '{LOCK_TIMEOUT}s', true),"
    f" set_config('idle_in_transaction_session_timeout', '{IDLE_TIMEOUT}s', true), pg_advisory_xact_lock({WRITE_LOCK})"
)
# A separate statement after the lock: a statement sees only commits from before its own start.
_NOW = "to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')"
_POSITION = f"SELECT last_event_id, commits + 1, {_NOW} FROM log_position"
_STATE = "SELECT state, stale, cold, link FROM tasks WHERE task_id = %s"
_HEAD = (
    f"SELECT last_event_id, commits + 1, {_NOW}, task_id, state, stale, cold, link"
    " FROM log_position LEFT JOIN tasks ON task_id = %s"
)
_MOVE = (
    "WITH signed AS (UPDATE recent_commits SET number = %s, token = %s WHERE slot = %s)"
    " UPDATE log_position SET last_event_id = %s, commits = %s"
)
_CREATE = (
    "INSERT INTO tasks (task_id, identity, last_seq, created_at, updated_at, active_at, status, title, kind,"
    " project_id, state) VALUES (%s, %s, 0, %s, %s, %s, %s, %s, %s, %s, %s)"
)
_SAVE = "UPDATE tasks SET updated_at = %s, last_seq = %s, state = %s, link = %s, stale = FALSE WHERE task_id = %s"
_INSERT = (
    f"INSERT INTO task_events ({COLUMNS}, quiet, plain, link, failure, brief) VALUES (%s, %s, %s, %s, nullif(%s, ''),"
    " %s, %s, nullif(%s, ''), %s, %s, nullif(%s, ''), nullif(%s, ''), nullif(%s, ''), %s, nullif(%s, ''), %s, %s, %s)"
)


@lru_cache(500)
def with_driver_placeholders(sql: str) -> str:
    """Return the SQL with `%s` for each `?`, as the driver needs it. The store's SQL has no other `?`."""
    return sql.replace("%", "%%").replace("?", "%s")


class PostgresResult:
    """The result of one statement, which the server may not have answered yet."""

    __slots__ = ("_cursor", "_pipeline")

    def __init__(self, cursor: psycopg.Cursor[Any], pipeline: psycopg.Pipeline) -> None:
        self._cursor = cursor
        self._pipeline = pipeline

    @property
    def rowcount(self) -> int:
        self._pipeline.sync()
        return self._cursor.rowcount

    def fetchone(self) -> Any:
        return self._cursor.fetchone()

    def fetchall(self) -> list[Any]:
        return self._cursor.fetchall()


class PostgresDatabase:
    """Implements `Database` for one transaction. Create it in a pipeline of the connection, and call `begin` first."""

    dialect = POSTGRESQL

    @property
    def text_index(self) -> PostgresTextIndex:
        return PostgresTextIndex(self)

    def __init__(self, connection: psycopg.Connection, pipeline: psycopg.Pipeline) -> None:
        self._connection = connection
        self._pipeline = pipeline
        self._cursor = connection.cursor()
        self._position: psycopg.Cursor[Any] | None = None
        self._last_event_id = 0
        self._at = ""
        self._number = 0
        self._token = secrets.token_hex(8)

    def begin(self) -> None:
        """Begin the transaction and take the write lock. Does not wait: `head` or the first query does."""
        self._cursor.execute("BEGIN")
        self._cursor.execute(LOCK)

    def commit(self) -> None:
        """Record the new position of the log and commit. Does not wait: the end of the pipeline does."""
        self._await_position()
        number = self._number
        self._cursor.execute(_MOVE, (number, self._token, number % SLOTS, self._last_event_id, number))
        self._cursor.execute("COMMIT")

    def was_committed(self, connection: psycopg.Connection) -> bool | None:
        """Ask on another connection whether this transaction was committed. None: too many others were committed since.

        Waits until the transaction has ended. Raises the driver's errors.
        """
        with connection.transaction():
            # The server may still be committing, because it has not yet noticed that the other connection is lost.
            connection.execute(LOCK)
            signed = "SELECT number, token FROM recent_commits WHERE slot = %s"
            row = connection.execute(signed, (self._number % SLOTS,)).fetchone()
        assert row is not None, "each slot has a row"
        number, token = row
        return token == self._token if number == self._number else None if number > self._number else False

    def _ask_position(self) -> None:
        """Ask for the position of the log before the first statement that does not ask for it too."""
        if self._number == 0 and self._position is None:
            self._position = self._connection.cursor()
            self._position.execute(_POSITION)

    def _await_position(self) -> None:
        self._ask_position()
        if self._position is not None:
            row = self._position.fetchone()
            assert row is not None, "log_position has one row"
            self._last_event_id, self._number, self._at = row
            self._position = None

    def execute(self, sql: str, values: Sequence[Any] = (), /) -> PostgresResult:
        self._ask_position()
        cursor = self._connection.cursor()
        cursor.execute(with_driver_placeholders(sql), values)
        return PostgresResult(cursor, self._pipeline)

    def executemany(self, sql: str, rows: Iterable[Sequence[Any]], /) -> None:
        self._ask_position()
        self._cursor.executemany(with_driver_placeholders(sql), rows)

    def now(self) -> str:
        self._await_position()
        return self._at

    def head(self, task_id: str) -> tuple[int, str | None, bool, bool, bytes | None]:
        cursor = self._connection.cursor()
        if self._number == 0 and self._position is None:
            cursor.execute(_HEAD, (task_id,))
            row = cursor.fetchone()
            assert row is not None, "log_position has one row"
            self._last_event_id, self._number, self._at, found, *head = row
            row = tuple(head) if found is not None else None
        else:
            cursor.execute(_STATE, (task_id,))
            self._await_position()
            row = cursor.fetchone()
        if row is None:
            return self._last_event_id, None, False, False, None
        state, stale, cold, link = row
        return self._last_event_id, state, stale, bool(cold), link

    def take_event_id(self) -> None:
        self._await_position()
        self._last_event_id += 1

    def create_task(self, task: Task) -> None:
        at = task.created_at
        names = (task.status, task.title, task.kind, task.project_id)
        self._cursor.execute(_CREATE, (task.task_id, task.identity, at, at, at[:19], *names, to_json(task)))

    def insert_events(self, rows: Sequence[Sequence[Any]]) -> None:
        self._cursor.executemany(
            _INSERT, [(*row[:13], row[13] or None, *row[14:], *derived_columns(row[3], row[8])) for row in rows]
        )
        self._last_event_id = rows[-1][0]

    def put_events(self, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        event_type, payload = columns.index("event_type"), columns.index("payload")
        names = (*columns, "failure", "brief")
        values = ", ".join("?" * len(names))
        sql = f"INSERT INTO task_events ({', '.join(names)}) VALUES ({values}) ON CONFLICT DO NOTHING"
        self.executemany(sql, [(*row, *derived_columns(row[event_type], row[payload])) for row in rows])

    def replace_payloads(self, task_id: str, rows: Sequence[tuple[int, str, str, str | None, int | None]]) -> None:
        self._cursor.executemany(
            "UPDATE task_events SET payload = %s, plain = %s, quiet = %s, failure = %s, brief = %s"
            " WHERE task_id = %s AND seq = %s",
            [
                (payload, plain, quiet, *derived_columns(event_type, payload), task_id, seq)
                for seq, event_type, payload, plain, quiet in rows
            ],
        )

    def save_task(self, task: Task, link: bytes | None, *, was_stale: bool) -> None:
        self._cursor.execute(_SAVE, (task.updated_at, task.latest_seq, to_json(task), link, task.task_id))

    def remove_task(self, task_id: str) -> None:
        self._cursor.execute("DELETE FROM tasks WHERE task_id = %s", (task_id,))


def derived_columns(event_type: str, payload: str) -> tuple[bool, str | None]:
    """Return the columns `failure` and `brief` of an event."""
    brief = shortened(payload) if len(payload) > MAX_PAYLOAD_CHARS else None
    return reports_failure(event_type, payload), brief

"""Views of a SQLite file, and the parts of their queries that only SQLite has."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any, Self

import aiosqlite
import msgspec

from signalbox.store.contract.reading.space import DatabaseSpace
from signalbox.store.events import Event
from signalbox.store.sql.dialect import Condition, Dialect, pattern_of
from signalbox.store.sql.heartbeats import SeqRange
from signalbox.store.sql.rows import COLUMNS, decode, long_events_of
from signalbox.store.sql.views import Views, window_sql
from signalbox.store.sql.views.cold import ANY_COLD
from signalbox.store.sqlite.damaged import is_not_text, lenient
from signalbox.store.sqlite.index_rows import SqliteIndexReads
from signalbox.store.sqlite.payloads import BRIEF, CUT_FROM, TEXT
from signalbox.store.sqlite.piecewise import PiecewiseRows

BRIEF_COLUMNS = COLUMNS.replace(" payload,", f" {BRIEF},") + f", {CUT_FROM}"
"""The columns for `event_of`, with long payloads shortened, and then the full size of a shortened payload in bytes."""


def _among(column: str, values: Sequence[object]) -> Condition:
    # One value for any number of values: SQLite limits the number of `?` in a statement.
    return f"{column} IN (SELECT value FROM json_each(?))", [msgspec.json.encode(list(values)).decode()]


_JSON_TEXT = (
    "CASE WHEN json_valid({0}) THEN CASE json_type({0}, '$.{1}') WHEN 'text' THEN json_extract({0}, '$.{1}')"
    " ELSE nullif({0} -> '$.{1}', 'null') END END"
)
"""`json_extract` alone returns true and false as 1 and 0."""


def _contains(column: str, text: str) -> Condition:
    return rf"{column} LIKE ? ESCAPE '\'", [pattern_of(text)]


SQLITE = Dialect(
    contains=_contains,
    stored="CAST({} AS BLOB)".format,
    among=_among,
    json_text=_JSON_TEXT.format,
    text=TEXT.format,
    stored_key=str,
    restored=str,
    stored_bytes="length(CAST({} AS BLOB))".format,
    newest_event="(SELECT seq FROM sqlite_sequence WHERE name = 'task_events')",
    full_key=lambda name, stored, state: stored,
)


class View(SqliteIndexReads, Views, PiecewiseRows):
    """Implements `Reading` on one SQLite connection."""

    dialect = SQLITE
    asks_for_cold = True
    # CROSS JOIN makes SQLite look up each of the few chosen spans by its key, and not scan all spans.
    window = window_sql("LIMIT ?", "chosen CROSS JOIN")

    def __init__(self, connection: aiosqlite.Connection, columns: str = COLUMNS) -> None:
        self._connection = connection
        self._columns = columns

    def brief(self) -> Self:
        """Return the same view with long payloads shortened."""
        return type(self)(self._connection, BRIEF_COLUMNS)

    async def database_space(self) -> DatabaseSpace:
        sql = (
            "SELECT page_count * page_size, freelist_count * page_size, auto_vacuum = 2 FROM pragma_page_count,"
            " pragma_page_size, pragma_freelist_count, pragma_auto_vacuum"
        )
        used, free, returns = (await self._rows(sql))[0]
        return DatabaseSpace(used, free, bool(returns))

    async def times(self, task_id: str, since_seq: int, until_seq: int) -> list[str]:
        # One JSON array, because one row per time takes three times as long. LIMIT keeps the order of the subquery.
        times = "SELECT created_at FROM task_events WHERE task_id = ? AND seq > ? AND seq <= ? ORDER BY seq LIMIT -1"
        sql = f"SELECT json_group_array(CAST(created_at AS TEXT)) FROM ({times})"
        return decode(list[str], (await self._rows(sql, task_id, since_seq, until_seq))[0][0])

    async def _events_in(self, task_id: str, ranges: Sequence[SeqRange]) -> list[Event]:
        # CROSS JOIN makes SQLite read the ranges first, and look up each one in the index on seq.
        rows = await self._rows(
            f"SELECT {self._columns} FROM"
            " (SELECT key AS place, value ->> 0 AS low, value ->> 1 AS high FROM json_each(?)) CROSS JOIN task_events"
            " WHERE task_id = ? AND seq BETWEEN low AND high ORDER BY place, seq",
            msgspec.json.encode(ranges).decode(),
            task_id,
        )
        return await long_events_of(rows)

    def _first_rows(self, sql: str, values: Sequence[Any]) -> list[Any]:
        """Return the rows of a query, and set `any_cold`, in the thread of the connection and as of the same state."""
        connection = self._connection._conn
        connection.execute("BEGIN")
        try:
            self.any_cold = connection.execute(ANY_COLD).fetchone() is not None
            return connection.execute(sql, values).fetchall()
        finally:
            if connection.in_transaction:
                connection.execute("ROLLBACK")

    async def _rows(self, sql: str, *values: object) -> list[Any]:
        try:
            if self.any_cold is None:
                rows: list[Any] = await self._connection._execute(self._first_rows, sql, values)  # type: ignore[no-untyped-call]
                return rows
            return list(await self._connection.execute_fetchall(sql, values))
        except sqlite3.OperationalError as error:
            if not is_not_text(error):
                raise
        # A stored text is not UTF-8. The lenient factory is slow, so only such a query uses it.
        self._connection.text_factory = lenient
        try:
            return list(await self._connection.execute_fetchall(sql, values))
        finally:
            self._connection.text_factory = str

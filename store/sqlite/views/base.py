"""The base of all views: queries on the connection, and their rows as values."""

from __future__ import annotations

import sqlite3
from typing import Any, Self

import aiosqlite

from signalbox.store.events import Event
from signalbox.store.sqlite.damaged import is_not_text, lenient
from signalbox.store.sqlite.rows import COLUMNS, event_of, readable
from signalbox.store.sqlite.short_payloads import BRIEF_COLUMNS


class Rows:
    """Runs queries on a connection lent to this view, and converts rows to events and values."""

    def __init__(self, connection: aiosqlite.Connection, columns: str = COLUMNS) -> None:
        self._connection = connection
        self._columns = columns

    def brief(self) -> Self:
        """Return the same view with long payloads shortened."""
        return type(self)(self._connection, BRIEF_COLUMNS)

    async def latest_event_id(self) -> int:
        rows = await self._rows("SELECT seq FROM sqlite_sequence WHERE name = 'task_events'")
        return int(rows[0][0]) if rows else 0

    async def _rows(self, sql: str, *values: object) -> list[Any]:
        try:
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

    async def _values(self, kind: type[Any], sql: str, *values: object) -> list[Any]:
        return readable(kind, await self._rows(sql, *values))

    async def _events(self, where: str, *values: object) -> list[Event]:
        return [
            event_of(row) for row in await self._rows(f"SELECT {self._columns} FROM task_events WHERE {where}", *values)
        ]

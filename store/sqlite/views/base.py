"""What all reading shares: a question to the connection, and what its rows are."""

from __future__ import annotations

from typing import Any

import aiosqlite

from store.events import Event
from store.sqlite.rows import COLUMNS, decode, event_of


class Rows:
    """Rows of one borrowed connection, as events and as values."""

    def __init__(self, connection: aiosqlite.Connection) -> None:
        self._connection = connection

    async def _rows(self, sql: str, *values: object) -> list[Any]:
        return list(await self._connection.execute_fetchall(sql, values))

    async def _values(self, kind: type[Any], sql: str, *values: object) -> list[Any]:
        return [decode(kind, row[0]) for row in await self._rows(sql, *values)]

    async def _events(self, where: str, *values: object) -> list[Event]:
        return [event_of(row) for row in await self._rows(f"SELECT {COLUMNS} FROM task_events WHERE {where}", *values)]

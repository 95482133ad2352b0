"""Views of a PostgreSQL database, and the parts of their queries that only PostgreSQL has."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import psycopg

from signalbox.store.contract.reading.space import DatabaseSpace
from signalbox.store.events import Event
from signalbox.store.postgresql.database import with_driver_placeholders
from signalbox.store.postgresql.dialect import POSTGRESQL
from signalbox.store.postgresql.index_rows import PostgresIndexReads
from signalbox.store.sql.heartbeats import SeqRange
from signalbox.store.sql.rows import COLUMNS
from signalbox.store.sql.views import Views, window_sql

BRIEF_COLUMNS = (
    COLUMNS.replace(" payload,", " coalesce(brief, payload),")
    + ", CASE WHEN brief IS NOT NULL THEN octet_length(payload) END"
)
"""The columns for `event_of`, with long payloads shortened, and then the full size of a shortened payload in bytes."""


class PostgresView(PostgresIndexReads, Views):
    """Implements `Reading` on one connection."""

    dialect = POSTGRESQL
    # PostgreSQL has no LIMIT inside a recursion, but ends the recursion when the outer query has enough rows.
    window = window_sql("", "(SELECT * FROM chosen LIMIT ?) AS chosen JOIN")

    def __init__(self, connection: psycopg.AsyncConnection, columns: str = COLUMNS) -> None:
        self._connection = connection
        self._columns = columns

    def brief(self) -> Self:
        """Return the same view with long payloads shortened."""
        return type(self)(self._connection, BRIEF_COLUMNS)

    async def database_space(self) -> DatabaseSpace:
        return DatabaseSpace((await self._rows("SELECT pg_database_size(current_database())"))[0][0], 0, True)

    async def times(self, task_id: str, since_seq: int, until_seq: int) -> list[str]:
        # One text, because one row per time takes several times as long.
        times = "SELECT created_at FROM task_events WHERE task_id = ? AND seq > ? AND seq <= ? ORDER BY seq"
        rows = await self._rows(
            f"SELECT string_agg(created_at, ' ') FROM ({times}) AS times", task_id, since_seq, until_seq
        )
        return rows[0][0].split(" ") if rows[0][0] else []

    async def events_at(self, task_id: str, seqs: Sequence[int]) -> list[Event]:
        # If the planner sees a long list of seqs, it reads the whole task. If it sees a subquery, it uses the index.
        where = "task_id = ? AND seq = ANY((SELECT ?::bigint[])::bigint[]) ORDER BY seq"
        return await self._events(where, task_id, list(seqs))

    async def _events_in(self, task_id: str, ranges: Sequence[SeqRange]) -> list[Event]:
        # The ranges of a page have few seqs, and `events_at` always uses the index. A join with ranges may not.
        return await self.events_at(task_id, [seq for first, last in ranges for seq in range(first, last + 1)])

    async def _rows(self, sql: str, *values: object) -> list[Any]:
        cursor = await self._connection.execute(with_driver_placeholders(sql), values)
        return await cursor.fetchall()

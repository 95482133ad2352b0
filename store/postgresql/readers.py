"""Views of a PostgreSQL database. Each has a connection of the pool while it is held."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from signalbox.store.postgresql.pool import Pool
from signalbox.store.postgresql.views import PostgresView


class PostgresReaders:
    """Lends views."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    @asynccontextmanager
    async def view(self, *, consistent: bool = True) -> AsyncIterator[PostgresView]:
        """Return a view of the database. If `consistent`, all its reads see the same state.

        Raises NestedView, StoreUnavailable and StoreClosed.
        """
        async with self._pool.connection(consistent=consistent) as connection:
            yield PostgresView(connection)

    async def rows(self, sql: str, *values: object) -> list[Any]:
        """Return the rows of one query."""
        async with self.view(consistent=False) as view:
            return await view._rows(sql, *values)

"""The tail's own connection, so that following the log never waits for a connection of the pool."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from signalbox.store.events import Event
from signalbox.store.postgresql.connection import Address
from signalbox.store.postgresql.database import with_driver_placeholders
from signalbox.store.postgresql.errors import translated_errors
from signalbox.store.postgresql.limited_waits import LimitedAsyncConnection
from signalbox.store.sql.removal import PRESENT
from signalbox.store.sql.rows import COLUMNS_WITH_IDENTITY, events_with_identity_of

PATIENCE = 5.0
"""Seconds without an answer after which the log counts as unavailable. Its queries take about a millisecond."""

_COMMITS = "SELECT commits FROM log_position"
_AFTER = f"SELECT {COLUMNS_WITH_IDENTITY} FROM task_events WHERE event_id > ? AND {PRESENT} ORDER BY event_id LIMIT ?"


class PostgresPeek:
    """The `Peek` of a PostgreSQL database. It replaces a connection that is lost or leads to a former database."""

    def __init__(self, address: Address, refuse: Callable[[], None], generation: Callable[[], int]) -> None:
        self._address = address
        self._refuse = refuse
        self._generation = generation
        self._connection: LimitedAsyncConnection | None = None
        self._commits: int | None = None

    async def moved(self) -> bool:
        """Return whether any connection committed since the last call. True on the first call and after a failure."""
        before, self._commits = self._commits, None
        self._refuse()
        ((self._commits,),) = await self._rows(_COMMITS)
        return self._commits != before

    async def events_after(self, event_id: int, limit: int) -> list[Event]:
        """Return at most `limit` events after `event_id`, in commit order."""
        return events_with_identity_of(await self._rows(_AFTER, event_id, limit))

    def forget(self) -> None:
        """Make the next `moved()` return True."""
        self._commits = None

    async def aclose(self) -> None:
        """Close the connection."""
        self._close()

    async def _rows(self, sql: str, *values: object) -> list[Any]:
        if self._connection is not None and self._connection.generation != self._generation():
            self._close()
        if self._connection is None:
            generation = self._generation()
            self._connection = await self._address.aconnect(PATIENCE)
            self._connection.generation = generation
        try:
            with translated_errors():
                cursor = await self._connection.execute(with_driver_placeholders(sql), values)
                return await cursor.fetchall()
        except BaseException:
            # After an error or a cancellation the connection may still wait for an answer of the server.
            self._close()
            raise

    def _close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.pgconn.finish()

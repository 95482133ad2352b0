"""The tail's own connection, used in the event loop's thread: a switch to another thread costs more than the query."""

from __future__ import annotations

import sqlite3

from signalbox.store.events import Event
from signalbox.store.sql.removal import PRESENT
from signalbox.store.sql.rows import COLUMNS_WITH_IDENTITY, events_with_identity_of
from signalbox.store.sqlite.connection import translated_errors
from signalbox.store.sqlite.damaged import is_not_text, lenient
from signalbox.store.sqlite.file import DatabaseFile
from signalbox.store.sqlite.file_uri import uri
from signalbox.store.sqlite.forks import SqliteConnection, gate

BUSY_TIMEOUT = 0.05
"""Seconds for which a query waits for a lock. In WAL mode this happens only while the write-ahead log is recovered."""


class SqlitePeek:
    """The `Peek` of a SQLite file: finds new commits within a few microseconds, without a thread switch."""

    def __init__(self, file: DatabaseFile) -> None:
        self._file = file
        self._generation = 0
        self._connection: sqlite3.Connection | None = None
        self._version: int | None = None

    async def moved(self) -> bool:
        """Return whether any connection committed since the last call. True on the first call and after a failure."""
        before, self._version = self._version, None
        if self._file.lost is not None or self._generation != self._file.generation:
            self._close()
            if self._file.lost is not None:
                raise self._file.error()
            before, self._generation = None, self._file.generation
        with gate, translated_errors():
            if self._connection is None:
                self._connection = sqlite3.connect(
                    uri(self._file.path, read_only=True),
                    uri=True,
                    timeout=BUSY_TIMEOUT,
                    isolation_level=None,
                    check_same_thread=False,
                    factory=SqliteConnection,
                )
            # Sees the commits of all other connections (https://sqlite.org/pragma.html#pragma_data_version).
            (self._version,) = self._connection.execute("PRAGMA data_version").fetchone()
        return self._version != before

    async def events_after(self, event_id: int, limit: int) -> list[Event]:
        """Return at most `limit` events after `event_id`, in commit order. Call `moved()` first."""
        assert self._connection is not None, "call moved() first"
        where = f"event_id > ? AND {PRESENT} ORDER BY event_id LIMIT ?"
        sql = f"SELECT {COLUMNS_WITH_IDENTITY} FROM task_events WHERE {where}"
        with gate, self._file.recorded_errors(), translated_errors():
            try:
                rows = self._connection.execute(sql, (event_id, limit)).fetchall()
            except sqlite3.OperationalError as error:
                if not is_not_text(error):
                    raise
                self._connection.text_factory = lenient
                rows = self._connection.execute(sql, (event_id, limit)).fetchall()
                self._connection.text_factory = str
        return events_with_identity_of(rows)

    def after_fork(self) -> None:
        """Forget the connection of the parent process."""
        self._connection = self._version = None

    def forget(self) -> None:
        """Make the next `moved()` return True."""
        self._version = None

    @property
    def is_open(self) -> bool:
        """Whether the connection is open."""
        return self._connection is not None

    async def aclose(self) -> None:
        """Close the connection."""
        self._close()

    def _close(self) -> None:
        if self._connection is not None:
            with gate:
                self._connection.close()
            self._connection = None

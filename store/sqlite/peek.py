"""The tail's own connection: asked in place, because going to a thread and back costs more than the answer."""

from __future__ import annotations

import sqlite3

from signalbox.store.events import Event
from signalbox.store.sqlite.connection import translated_errors, uri
from signalbox.store.sqlite.damaged import is_not_text, lenient
from signalbox.store.sqlite.file import DatabaseFile
from signalbox.store.sqlite.rows import TAILED, tailed_event_of

BUSY_TIMEOUT = 0.05
"""Seconds that a look may wait for a lock; readers of a write-ahead log wait only while it is being recovered."""


class SqlitePeek:
    """What has been committed lately, in a few microseconds and without leaving the thread."""

    def __init__(self, file: DatabaseFile) -> None:
        self._file = file
        self._generation = 0
        self._connection: sqlite3.Connection | None = None
        self._version: int | None = None

    async def moved(self) -> bool:
        """Whether anybody committed since the last call. The first one says yes, and so does one after a failure."""
        before, self._version = self._version, None
        if self._file.lost is not None or self._generation != self._file.generation:
            self._close()
            if self._file.lost is not None:
                raise self._file.error()
            before, self._generation = None, self._file.generation
        with translated_errors():
            if self._connection is None:
                self._connection = sqlite3.connect(
                    uri(self._file.path, read_only=True),
                    uri=True,
                    timeout=BUSY_TIMEOUT,
                    isolation_level=None,
                    check_same_thread=False,
                )
            # Sees the commits of all other connections (https://sqlite.org/pragma.html#pragma_data_version).
            (self._version,) = self._connection.execute("PRAGMA data_version").fetchone()
        return self._version != before

    async def events_after(self, event_id: int, limit: int) -> list[Event]:
        """At most `limit` events after `event_id`, in commit order."""
        assert self._connection is not None, "moved() comes first"
        sql = f"SELECT {TAILED} FROM task_events WHERE event_id > ? ORDER BY event_id LIMIT ?"
        with self._file.noting(), translated_errors():
            try:
                rows = self._connection.execute(sql, (event_id, limit)).fetchall()
            except sqlite3.OperationalError as error:
                if not is_not_text(error):
                    raise
                self._connection.text_factory = lenient
                rows = self._connection.execute(sql, (event_id, limit)).fetchall()
                self._connection.text_factory = str
        return [tailed_event_of(row) for row in rows]

    def forget(self) -> None:
        """The next `moved()` says yes."""
        self._version = None

    @property
    def is_open(self) -> bool:
        """Whether it holds a connection."""
        return self._connection is not None

    async def aclose(self) -> None:
        """Release the database."""
        self._close()

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

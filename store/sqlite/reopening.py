"""Reopening: opens the database at the path after the open one was lost. Never creates a database."""

from __future__ import annotations

import os
import sqlite3
import stat
import time
from pathlib import Path
from typing import NamedTuple

from signalbox.store.errors import StoreError, StoreLost
from signalbox.store.sqlite import compression
from signalbox.store.sqlite.connection import connect, facts_of, refuse_moved_file, translated_errors
from signalbox.store.sqlite.database import SqliteDatabase
from signalbox.store.sqlite.file import DatabaseFile
from signalbox.store.sqlite.file_uri import uri
from signalbox.store.sqlite.migrations import applied, migrate
from signalbox.store.sqlite.refold import refold_waiting

RETRY_INTERVAL = 0.5
"""Seconds between two attempts. The file must be unchanged between them, or another program may still be copying it."""


class OpenedDatabase(NamedTuple):
    """A database that was opened, with its facts."""

    connection: SqliteDatabase
    epoch: str
    key: str


class Reopening:
    """Opens the database at the path of a lost one, with at most one attempt per `RETRY_INTERVAL`."""

    def __init__(self, file: DatabaseFile, synchronous: str) -> None:
        self._file = file
        self._synchronous = synchronous
        self._next_attempt_at = 0.0
        self._last_seen_file: tuple[int, ...] | None = None

    def is_due(self) -> bool:
        """Return whether the next attempt is due, and schedule the one after it."""
        if time.monotonic() < self._next_attempt_at:
            return False
        self._next_attempt_at = time.monotonic() + RETRY_INTERVAL
        return True

    def open(self, epoch: str) -> OpenedDatabase:
        """Open the database at the path. All connections to the lost one must be closed. Raises StoreLost.

        Another file with the same `epoch` is a copy. It may lack events that readers have seen, so it gets a new epoch.
        """
        replaced = self._file.is_replaced()
        if replaced:
            self._file.move_wal_aside()
            self._require_unchanged()
        connection = None
        try:
            with translated_errors():
                _check_database(self._file.path, check_pages=self._file.overwritten)
                connection = connect(self._file.path, self._synchronous, make=False)
                refuse_moved_file(connection)
                migrate(connection)
                refold_waiting(connection)
                facts = facts_of(connection, renew_epoch=epoch if replaced else None)
                connection.compresses = compression.begin(connection)
            self._file.opened()
        except (StoreError, sqlite3.Error, OSError) as error:
            if connection is not None:
                connection.close()
            raise self._file.error(f"the database cannot be opened again: {error}") from error
        self._last_seen_file = None
        return OpenedDatabase(connection, facts["epoch"], facts["key"])

    def _require_unchanged(self) -> None:
        try:
            status = os.stat(self._file.path)
        except OSError:
            self._last_seen_file = None
            raise self._file.error() from None
        if not stat.S_ISREG(status.st_mode):
            raise self._file.error("there is something other than a file at the database's path")
        before, self._last_seen_file = (
            self._last_seen_file,
            (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns),
        )
        if before != self._last_seen_file:
            raise self._file.error()


def _check_database(path: Path, *, check_pages: bool = False) -> None:
    """Raise StoreLost unless the file is a complete Signalbox database. Only reads the file.

    With `check_pages` every page is checked, because another program may still be overwriting the file.
    """
    connection = sqlite3.connect(uri(path, read_only=True), uri=True, timeout=0.25, isolation_level=None)
    try:
        if not applied(connection):
            raise StoreLost("it is not a Signalbox database")
        (pages,), (size,) = (connection.execute(f"PRAGMA {name}").fetchone() for name in ("page_count", "page_size"))
        wal = f"{path}-wal"
        if os.stat(path).st_size < pages * size and not (os.path.exists(wal) and os.stat(wal).st_size):
            raise StoreLost("it is not complete")
        if check_pages and connection.execute("PRAGMA quick_check(1)").fetchone() != ("ok",):
            raise StoreLost("it is incomplete or damaged")
    finally:
        connection.close()

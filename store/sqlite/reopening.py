"""Opening what is at the path after the open database was lost. A new database is never made here."""

from __future__ import annotations

import os
import sqlite3
import stat
import time
from pathlib import Path
from typing import NamedTuple

from signalbox.store.errors import StoreError, StoreLost
from signalbox.store.sqlite.connection import connect, facts_of, translated_errors, uri
from signalbox.store.sqlite.file import DatabaseFile
from signalbox.store.sqlite.migrations import applied, migrate
from signalbox.store.sqlite.refold import refold_waiting

PAUSE = 0.5
"""Seconds between two tries. A database must look the same in two of them, or somebody may still be copying it."""


class Found(NamedTuple):
    """A database that was opened, with its facts."""

    connection: sqlite3.Connection
    epoch: str
    key: str


class Reopening:
    """Tries to open the database at the path of a lost one, at most once in each `PAUSE`."""

    def __init__(self, file: DatabaseFile, synchronous: str) -> None:
        self._file = file
        self._synchronous = synchronous
        self._next_try = 0.0
        self._seen: tuple[int, ...] | None = None

    def is_due(self) -> bool:
        """Whether it is time for another try."""
        if time.monotonic() < self._next_try:
            return False
        self._next_try = time.monotonic() + PAUSE
        return True

    def open(self, epoch: str) -> Found:
        """Open what is there; all connections to the lost database must be closed. Raises StoreLost.

        A database with our `epoch` in another file is a copy: it may lack what was shown, so it gets a new epoch.
        """
        replaced = self._file.is_replaced()
        if replaced:
            self._file.set_companions_aside()
            self._look_twice()
        connection = None
        try:
            with translated_errors():
                _expect_a_database(self._file.path, whole=self._file.overwritten)
                connection = connect(self._file.path, self._synchronous, make=False)
                migrate(connection)
                refold_waiting(connection)
                facts = facts_of(connection, renew_epoch=epoch if replaced else None)
            self._file.opened()
        except (StoreError, sqlite3.Error, OSError) as error:
            if connection is not None:
                connection.close()
            raise self._file.error(f"the database cannot be opened again: {error}") from error
        self._seen = None
        return Found(connection, facts["epoch"], facts["key"])

    def _look_twice(self) -> None:
        try:
            found = os.stat(self._file.path)
        except OSError:
            self._seen = None
            raise self._file.error() from None
        if not stat.S_ISREG(found.st_mode):
            raise self._file.error("what is at the database's path is not a file")
        before, self._seen = self._seen, (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)
        if before != self._seen:
            raise self._file.error()


def _expect_a_database(path: Path, *, whole: bool = False) -> None:
    """Raise StoreLost unless a file is a complete database of Signalbox. Only reads it.

    With `whole` each page is read too: somebody may still be writing over the file.
    """
    looking = sqlite3.connect(uri(path, read_only=True), uri=True, timeout=0.25, isolation_level=None)
    try:
        if not applied(looking):
            raise StoreLost("it is no database of Signalbox")
        (pages,), (size,) = (looking.execute(f"PRAGMA {name}").fetchone() for name in ("page_count", "page_size"))
        wal = f"{path}-wal"
        if os.stat(path).st_size < pages * size and not (os.path.exists(wal) and os.stat(wal).st_size):
            raise StoreLost("it is not complete")
        if whole and looking.execute("PRAGMA quick_check(1)").fetchone() != ("ok",):
            raise StoreLost("it is not complete or damaged")
    finally:
        looking.close()

"""The database's files: whether those that are open are still those at their path.

Whoever deletes or replaces them takes the open ones along: what is committed into a deleted file is lost with it. The
files are compared by device and inode, never opened: closing another handle on one would drop SQLite's locks.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import structlog

from signalbox.store.errors import StoreDamaged, StoreFull, StoreLost

log = structlog.get_logger("signalbox.store")

LOOK = 1.0
"""Seconds between two looks at all three files, while there are commits."""

Identity = tuple[int, int]
"""Device and inode."""


class DatabaseFile:
    """One database file with its write-ahead log and the index of that.

    `lost` says why the open files cannot be used any more; None while they can. `generation` counts how often the
    files were opened. `full` says that the last commit found no room, `damaged` that a damaged part was met.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lost: str | None = None
        self.generation = 0
        self.full = False
        self.damaged = False
        self._db, self._wal, self._shm = str(path), f"{path}-wal", f"{path}-shm"
        self._opened: dict[str, Identity | None] = {}
        self._db_identity: Identity | None = None
        self._wal_identity: Identity | None = None
        self._device = self._inode = 0
        self._next_look = 0.0

    def opened(self) -> None:
        """All three have just been opened: those at the path are the right ones."""
        self._opened = {name: _identity(name) for name in (self._db, self._wal, self._shm)}
        self._db_identity, self._wal_identity = self._opened[self._db], self._opened[self._wal]
        self._device, self._inode = self._db_identity or (0, 0)
        self.generation += 1
        self.full = self.damaged = False
        self.lost = None

    def check(self) -> None:
        """Raise StoreLost unless the open database is at the path.

        It is on the hot path: it costs one call of stat(), and once a second it looks at the companions too. What is
        committed into a deleted write-ahead log meanwhile is saved from it when that is noticed.
        """
        if self.lost is None:
            now = time.monotonic()
            try:
                db = os.stat(self._db)
                if now < self._next_look and db.st_ino == self._inode and db.st_dev == self._device:
                    return
            except OSError:
                pass
            self._next_look = now + LOOK
            self.look()
        if self.lost is not None:
            raise self.error()

    def look(self) -> bool:
        """Compare all three files with the open ones; whether they are the same."""
        if self.lost is None:
            self.lost = self._fault()
            if self.lost is not None:
                log.error("the open database is not the one at its path", path=self._db, reason=self.lost)
        return self.lost is None

    def note(self, error: BaseException) -> None:
        """Remember what an error says about the file."""
        if isinstance(error, StoreFull):
            self.full = True
        elif isinstance(error, StoreDamaged) and not self.damaged:
            self.damaged = True
            log.error("the database is damaged", path=self._db, error=str(error))

    @contextmanager
    def noting(self) -> Iterator[None]:
        """Note the errors that are raised within."""
        try:
            yield
        except Exception as error:
            self.note(error)
            raise

    @property
    def problems(self) -> list[tuple[str, str]]:
        """What is wrong, as codes and messages that name no file."""
        found = [("store_lost", self.lost)] if self.lost is not None else []
        if self.full:
            found.append(("disk_full", "there is no room on the disk for the database"))
        if self.damaged:
            found.append(("store_damaged", "a part of the database is damaged; signalbox doctor says what to do"))
        return found

    def error(self, reason: str | None = None) -> StoreLost:
        """What callers are told while the files are lost."""
        return StoreLost(f"{reason or self.lost}; it waits until there is a database at {self._db}")

    def is_same(self) -> bool:
        """Whether the database at the path is the one that was opened last."""
        return _identity(self._db) == self._db_identity

    def may_be_saved(self) -> bool:
        """Whether the open write-ahead log may still be copied into the open database: nobody else has another log."""
        return not self.is_same() or _identity(self._wal) in (None, self._wal_identity)

    def set_companions_aside(self) -> None:
        """Take the companions of a database that is gone out of the way of the next one at its path.

        SQLite would apply the old write-ahead log to a new database. All connections must be closed.
        """
        if self.is_same():
            return
        with suppress(OSError):
            if self._wal_identity is not None and _identity(self._wal) == self._wal_identity:
                aside = f"{self._wal}.of-lost-{self._wal_identity[1]}"
                os.rename(self._wal, aside)
                log.warning("the write-ahead log of the lost database was renamed", path=aside)
        with suppress(OSError):
            if self._opened[self._shm] is not None and _identity(self._shm) == self._opened[self._shm]:
                os.unlink(self._shm)

    def _fault(self) -> str | None:
        for name, what in (
            (self._db, "the database file"),
            (self._wal, "the database's write-ahead log"),
            (self._shm, "the index of the database's write-ahead log"),
        ):
            try:
                found = os.stat(name)
            except FileNotFoundError:
                return f"{what} was deleted or moved away"
            except OSError as error:
                return f"{what} cannot be reached: {error.strerror}"
            if (found.st_dev, found.st_ino) != self._opened[name]:
                return f"{what} was replaced by another file"
        return None


def _identity(name: str) -> Identity | None:
    try:
        found = os.stat(name)
    except OSError:
        return None
    return found.st_dev, found.st_ino

"""Detection of lost database files: an open file that was deleted, moved, replaced or overwritten.

Commits into a deleted file are lost with it. The files are compared by device and inode and are never opened, because
closing a second handle on one would drop SQLite's locks. `content.py` detects that an open file was overwritten.
"""

from __future__ import annotations

import logging
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

from signalbox.store.errors import ColdFileDamaged, StoreDamaged, StoreError, StoreFull, StoreLost, StoreMoved
from signalbox.store.sql.moved import MOVED
from signalbox.store.sqlite.connection import is_broken
from signalbox.store.sqlite.content import Content
from signalbox.store.sqlite.damaged import is_truncated_wal
from signalbox.store.sqlite.forks import gate
from signalbox.store.urls import without_password

log = logging.getLogger("signalbox.store")

CHECK_INTERVAL = 1.0
"""Seconds between two checks of all three files while there are commits."""

WAL_HEADER_BYTES = 32
WAL_MAGIC = (b"\x37\x7f\x06\x82", b"\x37\x7f\x06\x83")
"""How each write-ahead log begins: https://sqlite.org/fileformat.html#walformat."""

E = TypeVar("E", bound=BaseException)

Identity = tuple[int, int]
"""Device and inode."""


class DatabaseFile:
    """One database file with its write-ahead log and its shm file.

    `lost` is the reason why the open files can no longer be used, or None while they can. `generation` counts how
    often the files were opened. `full` is true if the last commit failed because the disk is full. `damaged` is true
    if a query found a damaged part. `overwritten` is true if other content was written into the open file, `restored`
    if a transaction replaced the content of the database. `saved` is true if the lost database has all commits of its
    write-ahead log. `moved_to` is the URL to which the store was moved.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lost: str | None = None
        self.generation = 0
        self.full = False
        self.damaged = False
        self.overwritten = False
        self.restored = False
        self.saved = False
        self.moved_to: str | None = None
        self._content = Content(path)
        self._db, self._wal, self._shm = str(path), f"{path}-wal", f"{path}-shm"
        self._opened: dict[str, Identity | None] = {}
        self._db_identity: Identity | None = None
        self._wal_identity: Identity | None = None
        self._device = self._inode = 0
        self._next_check = 0.0

    def opened(self) -> None:
        """Record the three files that were just opened as the expected ones."""
        self._opened = {name: _identity(name) for name in (self._db, self._wal, self._shm)}
        self._db_identity, self._wal_identity = self._opened[self._db], self._opened[self._wal]
        self._device, self._inode = self._db_identity or (0, 0)
        self._content.opened()
        self.generation += 1
        self.full = self.damaged = self.overwritten = self.restored = self.saved = False
        self.lost = self.moved_to = None

    def check(self) -> None:
        """Raise StoreLost unless the open database is at the path.

        This is on the hot path. It costs one call of stat(), and checks the WAL and shm files only once a second.
        Commits into a deleted write-ahead log are copied out of it when the deletion is noticed. After a checkpoint,
        which changes the file's modification time, it also compares the file's header.
        """
        if self.lost is None:
            now = time.monotonic()
            try:
                db = os.stat(self._db)
                same = now < self._next_check and db.st_ino == self._inode and db.st_dev == self._device
                if same and (self._content.is_untouched(db) or self._content.overwritten(db, quick=True) is None):
                    return
            except OSError:
                pass
            self._next_check = now + CHECK_INTERVAL
            self.compare()
        if self.lost is not None:
            raise self.error()

    def compare(self) -> bool:
        """Compare all three files with the open ones. Return whether they are the same."""
        if self.lost is None:
            with gate:
                self.lost = self._find_fault()
            if self.lost is not None:
                log.error("the open database is no longer the one at %s: %s", self._db, self.lost)
        return self.lost is None

    def check_content(self) -> bool:
        """Check whether a transaction replaced the content of the database. Return whether it is still the same."""
        with gate:
            restored = self.lost is None and self._content.restored()
        if restored:
            self.restored, self.lost = True, "the content of the database was replaced"
            log.error("the database %s was restored while it was open", self._db)
        if self.lost is None and (url := self._content.moved_to) is not None:
            self.record_move(url)
        return self.lost is None

    def record_move(self, url: str) -> None:
        """Record that the store was moved to `url`. The open files can then no longer be used."""
        self.moved_to, self.lost = url, "the store was moved to another database"
        log.warning("the store was moved from %s to %s", self._db, without_password(url))

    def record_error(self, error: E) -> E | StoreError:
        """Call `record(error)` and return the error, or the one of lost files if they caused it."""
        self.record(error)
        unreadable = _is_damage(error) or is_broken(error)
        return self.error() if unreadable and self.lost is not None else error

    def record(self, error: BaseException) -> None:
        """Set `full`, `damaged` or `lost` if the error says so, or if the files were lost before the error."""
        if isinstance(error, StoreFull):
            self.full = True
        elif is_truncated_wal(error.__cause__) and self.lost is None:
            self.overwritten, self.lost = True, "the database's write-ahead log was truncated"
            log.error("the open database is no longer the one at %s: %s", self._db, self.lost)
        elif _is_damage(error) and not self.damaged and self.compare():
            self.damaged = True
            log.error("the database %s is damaged: %s", self._db, error)
        elif is_broken(error):
            # Connections that are still open can read the lost file, so without this only some requests would fail.
            self.compare()

    @contextmanager
    def recorded_errors(self) -> Iterator[None]:
        """Record the errors raised in the block, and raise damage of lost files as StoreLost."""
        try:
            yield
        except Exception as error:
            if (translated := self.record_error(error)) is not error:
                raise translated from error
            raise

    @property
    def problems(self) -> list[tuple[str, str]]:
        """Pairs of an error code and a message without file names."""
        if self.moved_to is not None:
            return [MOVED]
        found = [("store_lost", self.lost)] if self.lost is not None else []
        if self.full:
            found.append(("disk_full", "there is no room on the disk for the database"))
        if self.damaged:
            found.append(("store_damaged", "a part of the database is damaged; signalbox doctor says what to do"))
        return found

    def error(self, reason: str | None = None) -> StoreLost | StoreMoved:
        """Return the error that callers get while the files are lost."""
        if self.moved_to is not None:
            return StoreMoved(self.moved_to)
        return StoreLost(f"{reason or self.lost}; Signalbox waits for a database at {self._db}")

    def is_same(self) -> bool:
        """Return whether the file at the path is the one that was opened last."""
        return _identity(self._db) == self._db_identity

    def is_absent(self) -> bool:
        """Return whether there is no file at the path."""
        return _identity(self._db) is None

    def is_replaced(self) -> bool:
        """Return whether the file at the path is another one or has other content than the one opened last."""
        return self.overwritten or self.restored or not self.is_same()

    def may_be_saved(self) -> bool:
        """Return whether the open write-ahead log may be copied into the open database.

        This is unsafe after another process created a new log for the same database.
        """
        if self.overwritten:
            return False
        return not self.is_same() or _identity(self._wal) in (None, self._wal_identity)

    def after_fork(self) -> None:
        """Forget the connection of the parent process, and what its readers opened."""
        self._content.after_fork()
        self.generation += 1

    def close(self) -> None:
        """Close the connection that compares the content."""
        self._content.close()

    def empty_wal(self) -> None:
        """Truncate the write-ahead log, so that closing SQLite does not copy it into a file that was overwritten.

        A copy of the log is kept beside the database.
        """
        with suppress(OSError):
            for name in (self._wal, *(f"/proc/self/fd/{fd}" for fd in os.listdir("/proc/self/fd"))):
                if self._wal_identity is None or _identity(name) != self._wal_identity:
                    continue
                if os.stat(name).st_size:
                    _copy_private(name, self._name_of_lost_wal())
                    os.truncate(name, 0)
                return

    def move_wal_aside(self) -> None:
        """Move the WAL and shm files of a lost database away, or SQLite would apply them to a new one at the same path.

        All connections must be closed.
        """
        if self.is_same() and not self.overwritten:
            return
        with suppress(OSError):
            if self._wal_identity is not None and _identity(self._wal) == self._wal_identity:
                if self.overwritten:
                    os.unlink(self._wal)
                else:
                    os.rename(self._wal, self._name_of_lost_wal())
                log.warning("the write-ahead log of the lost database was moved to %s", self._name_of_lost_wal())
        with suppress(OSError):
            if self._opened[self._shm] is not None and _identity(self._shm) == self._opened[self._shm]:
                os.unlink(self._shm)

    def _name_of_lost_wal(self) -> str:
        return f"{self._wal}.of-lost-{self._wal_identity[1] if self._wal_identity else 0}"

    def _find_fault(self) -> str | None:
        for name, what in (
            (self._db, "the database file"),
            (self._wal, "the database's write-ahead log"),
            (self._shm, "the index of the database's write-ahead log"),
        ):
            try:
                status = os.stat(name)
            except FileNotFoundError:
                return f"{what} was deleted or moved away"
            except OSError as error:
                return f"{what} cannot be reached: {error.strerror}"
            if (status.st_dev, status.st_ino) != self._opened[name]:
                return f"{what} was replaced by another file"
            if name == self._wal and status.st_size >= WAL_HEADER_BYTES and not _has_wal_header(name):
                self.overwritten = True
                return f"{what} was truncated or overwritten"
            if name == self._db and (how := self._content.overwritten(status)):
                self.overwritten = True
                return f"{what} {how}"
        return None


def _is_damage(error: BaseException) -> bool:
    return isinstance(error, StoreDamaged) and not isinstance(error, ColdFileDamaged)


def _copy_private(name: str, copy: str) -> None:
    """Copy a file to another one that only its owner can read."""
    descriptor = os.open(copy, os.O_CREAT | os.O_TRUNC | os.O_WRONLY | os.O_CLOEXEC, 0o600)
    with open(name, "rb") as content, os.fdopen(descriptor, "wb") as copied:
        shutil.copyfileobj(content, copied)


def _identity(name: str) -> Identity | None:
    try:
        status = os.stat(name)
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _has_wal_header(name: str) -> bool:
    """Return whether a write-ahead log begins as SQLite writes it. SQLite has no locks on this file to lose."""
    with open(name, "rb") as file:
        return file.read(4) in WAL_MAGIC

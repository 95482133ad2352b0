"""The transactions of a SQLite file, on one connection."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from signalbox.store.errors import StoreError, StoreLost
from signalbox.store.sql.group_commit import GroupCommit, Job
from signalbox.store.sql.group_commit.writer import refuse_expired
from signalbox.store.sql.moved import moved_to
from signalbox.store.sqlite.connection import connect, is_busy, translated
from signalbox.store.sqlite.damaged import is_not_text, lenient
from signalbox.store.sqlite.database import SqliteDatabase
from signalbox.store.sqlite.file import DatabaseFile
from signalbox.store.sqlite.forks import gate
from signalbox.store.sqlite.saving import save_and_close
from signalbox.store.sqlite.watching import FileWatches


class SqliteWriter(GroupCommit):
    """Commits to a file. When the file is lost, `reopen` returns a new connection, or raises StoreError."""

    def __init__(
        self,
        connection: SqliteDatabase,
        file: DatabaseFile,
        reopen: Callable[[SqliteDatabase], SqliteDatabase],
        on_commit: Callable[[], None],
        watches: FileWatches,
    ) -> None:
        super().__init__(on_commit)
        self._connection = connection
        self._file = file
        self._reopen = reopen
        self._watches = watches
        self._forked = False

    def after_fork(self) -> None:
        super().after_fork()
        self._watches.after_fork()
        self._forked = True

    def reopen(self) -> None:
        """Try to open the lost database again, unless another thread is writing. Raises nothing."""
        if self._lock.acquire(blocking=False):
            try:
                reopened = not self._closed and self._file.lost is not None and self._try_to_reopen()
            finally:
                self._lock.release()
            if reopened:
                self._on_commit()

    def _try_to_reopen(self) -> bool:
        try:
            self._connection = self._reopen(self._connection)
        except StoreError:
            return False
        return True

    def _close(self) -> None:
        if self._forked:
            return
        if self._file.compare():
            self._connection.close()
        else:
            save_and_close(self._connection, self._file)

    def _recovered(self, error: Exception) -> tuple[Exception, bool]:
        if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_CONSTRAINT_TRIGGER:
            # Only a store that was moved has triggers: see `store/moving/sqlite_side.py`.
            self._record_move()
        found = self._file.record_error(error)
        if self._file.moved_to is not None:
            return self._file.error(), False
        return found, isinstance(found, StoreLost) and self._try_to_reopen()

    def _record_move(self) -> None:
        with suppress(sqlite3.Error):
            if (url := moved_to(self._connection)) is not None:
                self._file.record_move(url)

    def _succeeded(self) -> None:
        self._file.full = False

    def _in_transaction(self) -> bool:
        return self._connection.in_transaction

    def _rollback(self) -> None:
        self._connection.execute("ROLLBACK")

    def _transaction(self, jobs: list[Job[Any]], results: list[Any]) -> bool:
        try:
            if self._forked:
                self._connect_in_child()
            if self._file.lost is not None:
                self._connection = self._reopen(self._connection)
            if jobs[0].unchecked:
                return self._unchecked(jobs, results)
            return self._committed(jobs, results)
        except sqlite3.DatabaseError as error:
            # Not `translated_errors`: a context manager adds two microseconds to every commit.
            raise translated(error) from error

    def _connect_in_child(self) -> None:
        """Open a connection of this process. The checks of a commit find out whether the file is still the same."""
        before = self._connection
        with gate:
            self._connection = connect(self._file.path, before.synchronous, make=False)
        self._connection.compresses = before.compresses
        self._forked = False

    def _committed(self, jobs: list[Job[Any]], results: list[Any]) -> bool:
        try:
            return self._attempt(jobs, results)
        except sqlite3.OperationalError as error:
            if not is_not_text(error):
                raise
        # A stored text is not UTF-8. The lenient factory is slow, so only such a transaction uses it.
        results.clear()
        self._connection.text_factory = lenient
        try:
            return self._attempt(jobs, results)
        finally:
            self._connection.text_factory = str

    def _attempt(self, jobs: list[Job[Any]], results: list[Any]) -> bool:
        if not self._begin(jobs):
            return False
        connection = self._connection
        try:
            self._watches.mute()
            results.extend(job.work(connection) for job in jobs)
            self._file.check()
            connection.execute("COMMIT")
        except Exception:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
        finally:
            self._watches.unmute()
        return True

    def _unchecked(self, jobs: list[Job[Any]], results: list[Any]) -> bool:
        # SQLite ignores this pragma inside a transaction.
        self._connection.execute("PRAGMA foreign_keys = OFF")
        try:
            return self._committed(jobs, results)
        finally:
            self._connection.execute("PRAGMA foreign_keys = ON")

    def _begin(self, jobs: list[Job[Any]]) -> bool:
        """Begin a transaction. Jobs whose deadline passes meanwhile fail and are removed from `jobs`."""
        while jobs:
            try:
                self._connection.execute("BEGIN IMMEDIATE")
                return True
            except sqlite3.OperationalError as error:
                if not is_busy(error):
                    raise
            self._file.check()
            refuse_expired(jobs)
        return False

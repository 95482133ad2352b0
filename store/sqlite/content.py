"""Detection of replaced content in the open database file.

`cp`, `dd` and `rsync --inplace` write into the open file, so its inode stays the same. `sqlite3 .restore` replaces the
content by a transaction. Both are found by comparing the store's epoch and its newest event id: in the file itself,
read without its write-ahead log, and in the database as a connection sees it. A change of the schema alone is normal: a
newer version migrates the database, or an operator runs VACUUM or creates an index.
"""

from __future__ import annotations

import os
import sqlite3
import time
from contextlib import closing, suppress
from pathlib import Path
from typing import NamedTuple

from signalbox.store.sql.moved import moved_to
from signalbox.store.sqlite.file_uri import uri
from signalbox.store.sqlite.forks import SqliteConnection

MAX_READS, READ_INTERVAL = 5, 0.002
"""A file that does not look like a database is read up to this many times, with these seconds in between."""


class Facts(NamedTuple):
    """The facts that distinguish the content of one database from that of another.

    `cookie` is SQLite's schema cookie, which changes with the schema, by VACUUM and in a restored copy. `last_id` is
    the newest event id that was ever assigned, so it never decreases.
    """

    cookie: int
    epoch: str
    last_id: int


class Content:
    """Detects that the content of a database file was replaced while the file is open.

    `moved_to` is the URL to which the store was moved, if the last check found that.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: Facts | None = None
        self._newest: Facts | None = None
        self._event: tuple[object, ...] | None = None
        self._stamp: tuple[int, int] | None = None
        self._verified = False
        self._connection: sqlite3.Connection | None = None
        self.moved_to: str | None = None
        self._data_version: int | None = None

    def opened(self) -> None:
        """Record the content of the database that was just opened as the expected content."""
        self.close()
        self._data_version = self.moved_to = None
        self._verified = True
        self._stamp = self._file = None
        with suppress(OSError, sqlite3.Error):
            self._stamp = _stamp(os.stat(self._path))
            self._connection = sqlite3.connect(
                uri(self._path, read_only=True),
                uri=True,
                isolation_level=None,
                check_same_thread=False,
                factory=SqliteConnection,
            )
            self._read_newest(self._connection)
            with closing(self._open_file()) as file:
                self._file = _facts(file)

    def is_untouched(self, found: os.stat_result) -> bool:
        """Return whether the file was not written since the last check. SQLite writes to it only in a checkpoint."""
        return self._stamp == (found.st_mtime_ns, found.st_size)

    def overwritten(self, found: os.stat_result, *, quick: bool = False) -> str | None:
        """Return how the file was overwritten, or None. With `quick` only the schema cookie is compared."""
        stamp = _stamp(found)
        if self._file is None or self._newest is None or (stamp == self._stamp and (quick or self._verified)):
            return None
        if found.st_size == 0:
            return "was truncated"
        for attempt in range(1, MAX_READS + 1):
            try:
                if quick:
                    known = self._read_cookie() in (self._file.cookie, self._newest.cookie)
                else:
                    with closing(self._open_file()) as file:
                        known = self._continues(file)
                        if not known and not _is_whole(file):
                            return None
                break
            except (sqlite3.DatabaseError, TypeError) as error:
                if not _is_no_database(error):
                    # A checkpoint is writing to the file, or was interrupted: the write-ahead log has the rest.
                    return None
                if attempt == MAX_READS:
                    return "was overwritten with something that is not a database"
                time.sleep(READ_INTERVAL)
        if not known:
            return "was overwritten"
        self._stamp, self._verified = stamp, not quick
        return None

    def restored(self) -> bool:
        """Return whether a transaction replaced the content, as `sqlite3 .restore` does."""
        if self._connection is None or self._newest is None:
            return False
        try:
            (version,) = self._connection.execute("PRAGMA data_version").fetchone()
            if version == self._data_version:
                return False
            before, event = self._newest, self._event
            now = _facts(self._connection)
            if now.last_id < before.last_id or now.epoch != before.epoch:
                return True
            if now.cookie != before.cookie and self._is_another(event, self._connection):
                return True
            self._read_newest(self._connection)
            self.moved_to = moved_to(self._connection)
            self._data_version = version
        except (sqlite3.DatabaseError, TypeError):
            pass
        return False

    def after_fork(self) -> None:
        """Forget the connection of the parent process."""
        self._connection = None

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _continues(self, file: sqlite3.Connection) -> bool:
        """Return whether the file can be the result of commits and checkpoints since it was last read."""
        facts = _facts(file)
        if self._connection is not None:
            with suppress(sqlite3.DatabaseError, TypeError):
                # The connection also sees the write-ahead log, so it is never behind a file that SQLite wrote.
                newest = _facts(self._connection)
                if newest.last_id < facts.last_id or newest.cookie < facts.cookie:
                    return False
        assert self._file is not None
        assert self._newest is not None
        same_store = facts.epoch in (self._file.epoch, self._newest.epoch)
        if not same_store or facts.last_id < self._file.last_id or facts.cookie < self._file.cookie:
            return False
        if self._is_another(self._event, file):
            return False
        self._file = facts
        return True

    def _read_newest(self, connection: sqlite3.Connection) -> None:
        self._newest = _facts(connection)
        self._event = _event_at(connection, self._newest.last_id)

    def _is_another(self, event: tuple[object, ...] | None, connection: sqlite3.Connection) -> bool:
        """Return whether another event now has the id of `event`. If no event has it, the event was deleted."""
        stored = None if event is None else _event_at(connection, event[0])
        return stored is not None and stored != event

    def _read_cookie(self) -> int:
        with closing(self._open_file()) as connection:
            return int(connection.execute("PRAGMA schema_version").fetchone()[0])

    def _open_file(self) -> sqlite3.Connection:
        # With immutable=1 SQLite reads the file without its write-ahead log. Only SQLite may open and close the file:
        # closing a handle of our own would drop SQLite's locks.
        return sqlite3.connect(
            f"{uri(self._path, read_only=True)}&immutable=1", uri=True, isolation_level=None, factory=SqliteConnection
        )


def _facts(connection: sqlite3.Connection) -> Facts:
    cookie, epoch, last_id = connection.execute(
        "SELECT (SELECT schema_version FROM pragma_schema_version),"
        " (SELECT value FROM store_facts WHERE name = 'epoch'),"
        " (SELECT seq FROM sqlite_sequence WHERE name = 'task_events')"
    ).fetchone()
    return Facts(int(cookie), str(epoch), int(last_id or 0))


def _event_at(connection: sqlite3.Connection, event_id: object) -> tuple[object, ...] | None:
    sql = "SELECT event_id, task_id, seq, created_at FROM task_events WHERE event_id = ?"
    found: tuple[object, ...] | None = connection.execute(sql, (event_id,)).fetchone()
    return found


def _is_whole(file: sqlite3.Connection) -> bool:
    """Return whether the file alone is a consistent database.

    After an interrupted checkpoint it is not: some of its pages are still in the write-ahead log only. Such a file must
    not count as overwritten, because the write-ahead log of an overwritten file is moved away.
    """
    (result,) = file.execute("PRAGMA quick_check(1)").fetchone()
    return bool(result == "ok")


def _is_no_database(error: Exception) -> bool:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_NOTADB


def _stamp(found: os.stat_result) -> tuple[int, int]:
    return found.st_mtime_ns, found.st_size

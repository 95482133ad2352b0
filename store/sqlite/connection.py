"""Connections to the SQLite file, with the settings that Signalbox needs, and SQLite's errors as the store's."""

from __future__ import annotations

import os
import secrets
import sqlite3
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from signalbox.store.errors import StoreDamaged, StoreFull, StoreUnavailable
from signalbox.store.events import new_id
from signalbox.store.sql.group_commit import JOB_TIMEOUT
from signalbox.store.sql.moved import FACTS, refuse_moved
from signalbox.store.sqlite import compression
from signalbox.store.sqlite.damaged import is_damage
from signalbox.store.sqlite.database import SqliteDatabase
from signalbox.store.sqlite.file_uri import uri
from signalbox.store.sqlite.migrations import applied, migrate
from signalbox.store.sqlite.payloads import add_functions
from signalbox.store.sqlite.refold import refold_waiting
from signalbox.store.terminal_escapes import plain_json

BUSY_TIMEOUT = 5.0
"""Seconds for which a reader waits for a lock. In WAL mode this happens only while the write-ahead log is recovered."""

WRITE_TIMEOUT = 0.25
"""Seconds for which SQLite waits for the write lock before the writer checks the deadlines of its jobs."""

_BUSY = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
_BROKEN = (sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PROTOCOL, sqlite3.SQLITE_NOTADB)

PRAGMAS = (
    "PRAGMA journal_mode = WAL",
    "PRAGMA foreign_keys = ON",
    "PRAGMA cache_size = -16384",
    "PRAGMA temp_store = MEMORY",
)


def connect(path: Path, synchronous: str, *, make: bool = True, alone: bool = False) -> SqliteDatabase:
    """Open the file for writing, in WAL mode. Transactions begin and end only with explicit statements.

    With `alone` no other connection, of any process, can use the file until this one is closed.
    """
    connection = sqlite3.connect(
        uri(path, make=make),
        uri=True,
        timeout=WRITE_TIMEOUT,
        isolation_level=None,
        check_same_thread=False,
        factory=SqliteDatabase,
    )
    connection.synchronous = synchronous
    try:
        connection.create_function("plain_json", 1, plain_json, deterministic=True)
        add_functions(connection)
        if alone:
            connection.execute("PRAGMA locking_mode = EXCLUSIVE")
        if connection.execute("PRAGMA page_count").fetchone() == (0,):
            # Has an effect only before the first table, and waits for the write lock. Free pages can be returned then.
            connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
        for pragma in (*PRAGMAS, f"PRAGMA synchronous = {synchronous}"):
            connection.execute(pragma)
    except BaseException:
        connection.close()
        raise
    return connection


def open_for_writing(path: Path, synchronous: str) -> tuple[SqliteDatabase, dict[str, str]]:
    """Open the file, migrate it to the newest schema, and return the connection and the database's facts.

    Waits up to `JOB_TIMEOUT` seconds for the locks of other processes.
    """
    deadline = time.monotonic() + JOB_TIMEOUT
    while True:
        connection = None
        try:
            with translated_errors():
                connection = connect(path, synchronous)
                refuse_moved_file(connection)
                migrate(connection)
                refold_waiting(connection)
                facts = facts_of(connection)
                connection.compresses = compression.begin(connection)
                _complete(connection, path)
                return connection, facts
        except BaseException as error:
            if connection is not None:
                connection.close()
            if not is_busy(error) or time.monotonic() >= deadline:
                raise
        # SQLite does not apply its timeout to every lock.
        time.sleep(0.05)


def _complete(connection: sqlite3.Connection, path: Path) -> None:
    """Checkpoint a new database into its file. Detecting later that the file was overwritten needs complete content."""
    (pages,), (size,) = (connection.execute(f"PRAGMA {name}").fetchone() for name in ("page_count", "page_size"))
    if os.stat(path).st_size < pages * size:
        connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()


def facts_of(connection: sqlite3.Connection, *, renew_epoch: str | None = None) -> dict[str, str]:
    """Return the epoch and the key of a database. Missing ones are created, and an epoch `renew_epoch` is replaced."""
    wanted = {"epoch": new_id(), "key": secrets.token_hex(32)}
    facts = _facts(connection)
    if wanted.keys() <= facts.keys() and facts["epoch"] != renew_epoch:
        return facts
    connection.execute("BEGIN IMMEDIATE")
    try:
        connection.executemany("INSERT OR IGNORE INTO store_facts VALUES (?, ?)", wanted.items())
        renewed = "UPDATE store_facts SET value = ? WHERE name = 'epoch' AND value = ?"
        connection.execute(renewed, (wanted["epoch"], renew_epoch))
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    return _facts(connection)


def _facts(connection: sqlite3.Connection) -> dict[str, str]:
    marks = ", ".join("?" * len(FACTS))
    found = connection.execute(f"SELECT name, value FROM store_facts WHERE name IN ({marks})", FACTS)
    return {name: str(value) for name, value in found}


def refuse_moved_file(connection: sqlite3.Connection) -> None:
    """Raise StoreMoved or StoreIncomplete if a move of this database does not allow to use it now."""
    try:
        facts = _facts(connection) if applied(connection) else {}
    except sqlite3.DatabaseError as error:
        if is_damage(error):
            return  # `migrate` and `facts_of` say what the damage means.
        raise
    refuse_moved(facts)


def is_busy(error: BaseException) -> bool:
    """Return whether the error says that another connection holds the lock."""
    return _code(error) in _BUSY or _code(error.__cause__) in _BUSY


def is_broken(error: BaseException) -> bool:
    """Return whether the connection that raised this error must not be used again."""
    return _code(error) in _BROKEN or _code(error.__cause__) in _BROKEN


def _code(error: BaseException | None) -> int | None:
    code = getattr(error, "sqlite_errorcode", None)
    return None if code is None else code & 0xFF


def create_private(path: Path) -> None:
    """Create the file with mode 0600 if it does not exist. SQLite creates its WAL and shm files with the same mode."""
    # Never open an existing file here: if this process has it open, closing a second handle drops SQLite's locks.
    with suppress(OSError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))


def private(path: Path) -> bool:
    """Return whether only the file's owner and group may read it."""
    try:
        return not path.stat().st_mode & stat.S_IROTH
    except OSError:
        return False


@contextmanager
def translated_errors() -> Iterator[None]:
    """Raise SQLite's errors as the store's errors. Errors caused by the caller's data are raised unchanged."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        raise translated(error) from error


def translated(error: sqlite3.DatabaseError) -> Exception:
    """Return the store's error for an error of SQLite, or the same error if it is about the caller's data."""
    code = _code(error)
    if is_damage(error):
        return StoreDamaged(f"the database is damaged: {error}; `signalbox doctor` says what to do")
    if code == sqlite3.SQLITE_FULL or getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_IOERR_SHMSIZE:
        return StoreFull(f"there is no room for the database: {error}")
    if isinstance(error, sqlite3.OperationalError):
        return StoreUnavailable(f"the database is not available: {error}")
    if isinstance(error, sqlite3.IntegrityError):
        return error
    return StoreUnavailable(f"the database cannot be used: {error}", retry_after=30)

"""Connections to a SQLite file, set up the one way that Signalbox uses them."""

from __future__ import annotations

import os
import secrets
import sqlite3
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import quote

from signalbox.store.errors import StoreDamaged, StoreFull, StoreUnavailable
from signalbox.store.escapes import plain_json
from signalbox.store.events import new_id
from signalbox.store.sqlite import job
from signalbox.store.sqlite.damaged import is_damage
from signalbox.store.sqlite.migrations import migrate
from signalbox.store.sqlite.refold import refold_waiting

BUSY_TIMEOUT = 5.0
"""Seconds that a reader waits for a lock; readers of a write-ahead log wait only while it is being recovered."""

WRITE_TIMEOUT = 0.25
"""Seconds that SQLite itself waits for the write lock before the writer looks whose deadline has passed."""

_BUSY = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
_BROKEN = (sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PROTOCOL, sqlite3.SQLITE_NOTADB)

PRAGMAS = (
    "PRAGMA journal_mode = WAL",
    "PRAGMA foreign_keys = ON",
    "PRAGMA cache_size = -16384",
    "PRAGMA temp_store = MEMORY",
)


def uri(path: Path, *, read_only: bool = False, make: bool = True) -> str:
    """The SQLite URI of a file; without `make` it must be there."""
    mode = "?mode=ro" if read_only else "" if make else "?mode=rw"
    return f"file:{quote(str(path))}{mode}"


def connect(path: Path, synchronous: str, *, make: bool = True) -> sqlite3.Connection:
    """Open the file for writing, in WAL mode, with transactions begun by hand."""
    connection = sqlite3.connect(
        uri(path, make=make), uri=True, timeout=WRITE_TIMEOUT, isolation_level=None, check_same_thread=False
    )
    try:
        connection.create_function("plain_json", 1, plain_json, deterministic=True)
        for pragma in (*PRAGMAS, f"PRAGMA synchronous = {synchronous}"):
            connection.execute(pragma)
    except BaseException:
        connection.close()
        raise
    return connection


def open_for_writing(path: Path, synchronous: str) -> tuple[sqlite3.Connection, dict[str, str]]:
    """Open the file and bring it up to the newest schema; also returns its facts.

    It waits for other processes as long as a job does.
    """
    deadline = time.monotonic() + job.PATIENCE
    while True:
        connection = None
        try:
            with translated_errors():
                connection = connect(path, synchronous)
                migrate(connection)
                refold_waiting(connection)
                facts = facts_of(connection)
                _complete(connection, path)
                return connection, facts
        except BaseException as error:
            if connection is not None:
                connection.close()
            if not is_busy(error) or time.monotonic() >= deadline:
                raise
        # SQLite does not wait for every lock itself.
        time.sleep(0.05)


def _complete(connection: sqlite3.Connection, path: Path) -> None:
    """Copy a new database out of its write-ahead log: only the file itself shows later whether it was overwritten."""
    (pages,), (size,) = (connection.execute(f"PRAGMA {name}").fetchone() for name in ("page_count", "page_size"))
    if os.stat(path).st_size < pages * size:
        connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()


def facts_of(connection: sqlite3.Connection, *, renew_epoch: str | None = None) -> dict[str, str]:
    """The epoch and the key of a database, made when they are missing. An epoch that is `renew_epoch` is replaced."""
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
    found = connection.execute("SELECT name, value FROM store_facts WHERE name IN ('epoch', 'key')")
    return {name: str(value) for name, value in found}


def is_busy(error: BaseException) -> bool:
    """Whether SQLite says that another connection has the lock."""
    return _code(error) in _BUSY or _code(error.__cause__) in _BUSY


def is_broken(error: BaseException) -> bool:
    """Whether the connection that this error came from should not be used again."""
    return _code(error) in _BROKEN or _code(error.__cause__) in _BROKEN


def _code(error: BaseException | None) -> int | None:
    code = getattr(error, "sqlite_errorcode", None)
    return None if code is None else code & 0xFF


def create_private(path: Path) -> None:
    """Make the file, for its owner alone, if it is not there; SQLite gives its companions the same mode."""
    # A file that is there may be open in this process, and closing another handle on it would drop SQLite's locks.
    with suppress(OSError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))


def private(path: Path) -> bool:
    """Whether nobody but the file's owner and group may read it."""
    try:
        return not path.stat().st_mode & stat.S_IROTH
    except OSError:
        return False


@contextmanager
def translated_errors() -> Iterator[None]:
    """SQLite's errors as the store's: busy, gone, full or damaged. What a caller did wrong stays as it is."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        raise translated(error) from error


def translated(error: sqlite3.DatabaseError) -> Exception:
    """The store's error for one of SQLite; the same one if it says nothing about the database."""
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

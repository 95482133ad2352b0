"""Connections to a SQLite file, set up the one way that Signalbox uses them."""

from __future__ import annotations

import os
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import quote

from store.errors import StoreUnavailable

BUSY_TIMEOUT = 5.0
"""Seconds that SQLite itself waits for a lock before the store's own retries begin."""

PRAGMAS = (
    "PRAGMA journal_mode = WAL",
    "PRAGMA foreign_keys = ON",
    "PRAGMA cache_size = -16384",
    "PRAGMA mmap_size = 268435456",
    "PRAGMA temp_store = MEMORY",
)


def uri(path: Path, *, read_only: bool = False) -> str:
    """The SQLite URI of a file."""
    return f"file:{quote(str(path))}" + ("?mode=ro" if read_only else "")


def connect(path: Path, synchronous: str) -> sqlite3.Connection:
    """Open the file for writing, in WAL mode, with transactions begun by hand."""
    with translated_errors():
        connection = sqlite3.connect(
            uri(path), uri=True, timeout=BUSY_TIMEOUT, isolation_level=None, check_same_thread=False
        )
        for pragma in (*PRAGMAS, f"PRAGMA synchronous = {synchronous}"):
            connection.execute(pragma)
    return connection


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
    """SQLite's operational errors (busy, disk full, gone) as StoreUnavailable."""
    try:
        yield
    except sqlite3.OperationalError as error:
        raise StoreUnavailable(f"the database is not available: {error}") from error
    except sqlite3.DatabaseError as error:
        if isinstance(error, sqlite3.IntegrityError):
            raise
        raise StoreUnavailable(f"the database cannot be used: {error}", retry_after=30) from error

"""How SQLite reports a damaged file, and texts that are not UTF-8. See `store.sql.damaged` for damaged rows."""

from __future__ import annotations

import sqlite3


def is_damage(error: sqlite3.DatabaseError) -> bool:
    """Return whether the error says that the database file is corrupt."""
    code = getattr(error, "sqlite_errorcode", None)
    return code is not None and code & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def is_truncated_wal(error: BaseException | None) -> bool:
    """Return whether a query failed because the write-ahead log is shorter than its index says.

    SQLite raises this error for no other file: the pages that the database file lacks are read as zeros.
    """
    return getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_IOERR_SHORT_READ


def is_not_text(error: sqlite3.DatabaseError) -> bool:
    """Return whether a query failed because a stored text is not UTF-8. Python's sqlite3 gives no code for this."""
    return str(error).startswith("Could not decode to UTF-8")


def lenient(stored: bytes) -> str:
    """Decode a stored text, with a replacement character for bytes that are not UTF-8. This is a `text_factory`."""
    return stored.decode("utf-8", "replace")

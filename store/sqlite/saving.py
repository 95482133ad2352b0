"""Closing a lost database without losing acknowledged commits."""

from __future__ import annotations

import sqlite3
from contextlib import suppress

from signalbox.store.sqlite.file import DatabaseFile


def save(connection: sqlite3.Connection, file: DatabaseFile) -> None:
    """Copy the write-ahead log of a lost database into it, where that is safe. Sets `file.saved` if all of it is there.

    A read of an earlier state keeps later commits out of the database. The copy can be continued when the read has
    ended. The connection may be closed already.
    """
    if file.overwritten:
        file.empty_wal()
    with suppress(sqlite3.Error):
        if file.may_be_saved():
            busy, frames, copied = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
            file.saved = not busy and frames == copied


def save_and_close(connection: sqlite3.Connection, file: DatabaseFile) -> None:
    """Close the connection to a lost database. Where it is safe, its write-ahead log is first copied into it."""
    save(connection, file)
    close(connection)


def close(connection: sqlite3.Connection) -> None:
    """Close the connection to a lost database. Raises nothing."""
    with suppress(sqlite3.Error):
        connection.close()

"""Closing a lost database without losing acknowledged commits."""

from __future__ import annotations

import sqlite3
from contextlib import suppress

from signalbox.store.sqlite.file import DatabaseFile


def save_and_close(connection: sqlite3.Connection, file: DatabaseFile) -> None:
    """Close the connection to a lost database. Where it is safe, its write-ahead log is first copied into it."""
    if file.overwritten:
        file.empty_wal()
    with suppress(sqlite3.Error):
        if file.may_be_saved():
            connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
    with suppress(sqlite3.Error):
        connection.close()

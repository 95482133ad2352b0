"""Letting go of a lost database without losing what was acknowledged."""

from __future__ import annotations

import sqlite3
from contextlib import suppress

from signalbox.store.sqlite.file import DatabaseFile


def save_and_close(connection: sqlite3.Connection, file: DatabaseFile) -> None:
    """Let go of a lost database. What is only in its write-ahead log is copied into it first, where that is safe."""
    if file.overwritten:
        file.empty_wal()
    with suppress(sqlite3.Error):
        if file.may_be_saved():
            connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
    with suppress(sqlite3.Error):
        connection.close()

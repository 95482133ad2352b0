"""Emptying of the write-ahead log, without a delay that a writer notices.

SQLite checkpoints the log after a commit that makes it longer than 1,000 pages, and reuses it from its beginning once
all of it is in the database and nobody reads from it. While two processes write without a pause, each adds to the log
during the checkpoints of the other, so that moment never comes.
"""

from __future__ import annotations

import os
import sqlite3
import time
from contextlib import closing, suppress
from pathlib import Path

from signalbox.store.sqlite.file_uri import uri
from signalbox.store.sqlite.forks import gate

LARGE_LOG = 16_000_000
"""The size in bytes from which on the log is emptied. A single writer keeps it below 5 MB."""

LOCK_SECONDS = 0.02
"""Seconds for which one attempt waits for the lock of the writers, and with the lock for readers."""

MAX_FRAMES = 1000
"""The most pages that are copied while writers wait. More are copied before."""

ATTEMPTS, PAUSE_SECONDS = 5, 0.03


def shorten_log(database: Path) -> bool:
    """Empty the log if it is large. Return False if it is still large, because somebody reads from it."""
    with suppress(OSError):
        if os.stat(f"{database}-wal").st_size > LARGE_LOG:
            return empty_log(database)
    return True


def empty_log(database: Path) -> bool:
    """Copy the log into the database and truncate it. Return whether that was possible. Raises nothing."""
    with (
        gate,
        suppress(sqlite3.Error),
        closing(sqlite3.connect(uri(database, make=False), uri=True)) as connection,
    ):
        connection.execute(f"PRAGMA busy_timeout = {int(LOCK_SECONDS * 1000)}").fetchall()
        for attempt in range(ATTEMPTS):
            if attempt:
                time.sleep(PAUSE_SECONDS)
            _, frames, copied = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
            if frames - copied > MAX_FRAMES:
                continue
            (busy, *_) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            if not busy:
                return True
    return False

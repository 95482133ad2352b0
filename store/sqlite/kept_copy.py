"""The copy of a database that is kept before a migration, so that the version that wrote it can be used again."""

from __future__ import annotations

import logging
import sqlite3
from pathlib import Path

from signalbox.store.errors import StoreUnavailable
from signalbox.store.sqlite.copies import copy_database, new_file

log = logging.getLogger("signalbox.store")


def keep_copy(connection: sqlite3.Connection, migration: str) -> Path | None:
    """Copy the database of this connection, which holds the write lock, to `NAME.before-MIGRATION` beside it.

    Return the path. Does nothing for a database in memory, or if the copy exists. Only the owner can read the copy.
    Raises sqlite3.DatabaseError and StoreUnavailable; then there is no copy.
    """
    file = connection.execute("SELECT file FROM pragma_database_list WHERE name = 'main'").fetchone()[0]
    if not file:
        return None
    kept = Path(f"{file}.before-{migration}")
    if kept.exists():
        return kept
    try:
        with new_file(kept) as unfinished:
            copy_database(Path(file), unfinished)
    except OSError as error:
        raise StoreUnavailable(
            f"the database is not migrated, because no copy of it can be kept: {error}", retry_after=30
        ) from error
    log.info("before the migration, the database was copied to %s", kept)
    return kept

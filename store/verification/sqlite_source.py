"""Verification of a SQLite file."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from signalbox.store.backup.cold_files import BackupPlace, has_files
from signalbox.store.chain.verification import Entry
from signalbox.store.cold.places import ReadablePlace
from signalbox.store.errors import StoreUnavailable
from signalbox.store.sql import log_links
from signalbox.store.sqlite.connection import translated_errors
from signalbox.store.sqlite.damaged import lenient
from signalbox.store.sqlite.file_uri import uri
from signalbox.store.sqlite.migrations import applied, unknown_migrations

LINKS = "030_links"
"""The migration that added the links."""

COLD = "031_cold"
"""The migration that added cold storage."""


class SqliteSource:
    """Implements `LogSource` on a connection that can only read."""

    def __init__(self, connection: sqlite3.Connection, cold_storage: str) -> None:
        self._db = connection
        names = applied(connection)
        if not names:
            raise StoreUnavailable("it is not a Signalbox database")
        unknown_migrations(connection)
        self.linked, self.has_cold = LINKS in names, COLD in names
        self.cold_storage: str | None = cold_storage
        self.cold_files: ReadablePlace | None = BackupPlace(connection) if has_files(connection) else None
        facts = dict(connection.execute("SELECT name, value FROM store_facts WHERE name = 'key'"))
        self.key = bytes.fromhex(facts["key"]) if "key" in facts else None

    def query(self, sql: str, values: tuple[object, ...] = (), /) -> Iterable[Any]:
        with translated_errors():
            return self._db.execute(sql, values).fetchall()

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        with translated_errors():
            self._db.execute("BEGIN")
        try:
            yield
        finally:
            self._db.execute("ROLLBACK")

    def entries(self, task_id: str) -> Iterator[Entry]:
        return log_links.entries_of(self.query, task_id, linked=self.linked)


@contextmanager
def sqlite_source(path: Path, cold_storage: str) -> Iterator[SqliteSource]:
    """Open a file for reading only. Raises StoreUnavailable, StoreDamaged and SchemaTooNew."""
    if not path.is_file():
        raise StoreUnavailable(f"there is no database {path}")
    with (
        translated_errors(),
        closing(sqlite3.connect(uri(path, read_only=True), uri=True, timeout=5.0, isolation_level=None)) as db,
    ):
        db.text_factory = lenient
        yield SqliteSource(db, cold_storage)

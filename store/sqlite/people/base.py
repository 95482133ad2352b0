"""What all people's tables share: how they are written and read, and what must be there."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import TypeVar

from signalbox.store.errors import NotFound
from signalbox.store.sqlite.readers import Readers
from signalbox.store.sqlite.writer import Writer

T = TypeVar("T")


class Tables:
    """Written through the store's writer, so that `_write` raises the version; read through its readers."""

    def __init__(self, writer: Writer, readers: Readers) -> None:
        self._writer = writer
        self._rows = readers.rows

    def _write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        def counted(db: sqlite3.Connection) -> T:
            answer = work(db)
            db.execute("UPDATE store_facts SET value = value + 1 WHERE name = 'people_version'")
            return answer

        return self._writer.run(counted)


def there(db: sqlite3.Connection, table: str, column: str, value: str) -> bool:
    """Whether a table has a row with this value."""
    return db.execute(f"SELECT 1 FROM {table} WHERE {column} = ?", (value,)).fetchone() is not None


def need(db: sqlite3.Connection, noun: str, key: str) -> None:
    """Raise NotFound unless there is this account or project."""
    if not there(db, f"{noun}s", f"{noun}_id", key):
        raise NotFound(f"there is no {noun} {key!r}")

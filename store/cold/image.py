"""The image of a task: a SQLite database with its rows in all tables except `task_events`.

Migrations bring an image of an earlier version to the newest schema, like any database of Signalbox.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import closing
from functools import lru_cache
from pathlib import Path

from signalbox.store.cold.source import SMALL
from signalbox.store.moving.tables import PARTS, TASKS, Row, Table
from signalbox.store.sqlite.migrations import applied, empty_database, known, migrate
from signalbox.store.sqlite.payloads import add_functions
from signalbox.store.terminal_escapes import plain_json

TABLES = (TASKS, *PARTS, *SMALL)

_COUNTER = ("task_id", "identity", "last_seq")
_TASKS = [name for name in TASKS.names if name not in _COUNTER[1:]]
_SPAN_BLOCKS = """
CREATE TABLE cold_span_blocks (
  span_id TEXT NOT NULL,
  block   INTEGER NOT NULL,
  PRIMARY KEY (span_id, block)
) WITHOUT ROWID
"""
"""The blocks that have events of a span. No database of a store has this table."""


@lru_cache(maxsize=1)
def _template() -> bytes:
    """Return a database with the newest schema and no rows."""
    with closing(empty_database()) as empty:
        empty.execute("UPDATE migrations SET applied_at = ''")
        empty.execute("DELETE FROM projects")
        empty.execute("VACUUM")
        return empty.serialize()


def connect(path: Path) -> sqlite3.Connection:
    """Open an image that nobody else uses. Its writes need not survive a crash."""
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    for pragma in ("journal_mode = MEMORY", "synchronous = OFF", "foreign_keys = OFF", "cache_size = -4096"):
        connection.execute(f"PRAGMA {pragma}").fetchall()
    connection.create_function("plain_json", 1, plain_json, deterministic=True)
    add_functions(connection)
    return connection


class ImageWriter:
    """Writes an image to a new file."""

    def __init__(self, path: Path) -> None:
        path.write_bytes(_template())
        self._db = connect(path)
        self._db.execute(_SPAN_BLOCKS)
        self._db.execute("BEGIN")

    def insert(self, table: Table, rows: Sequence[Row]) -> None:
        """Insert rows."""
        if table is TASKS:
            named = [dict(zip(TASKS.names, row, strict=True)) for row in rows]
            self._insert("task_event_seq_counters", _COUNTER, ([row[name] for name in _COUNTER] for row in named))
            self._insert("tasks", _TASKS, ([row[name] for name in _TASKS] for row in named))
        else:
            self._insert(table.name, table.names, rows)

    def insert_content(self, sha256: str, size: int) -> None:
        """Record that the file has a content."""
        self._insert("artifact_contents", ("sha256", "size", "complete", "begun_at"), [(sha256, size, 1, "")])

    def insert_spans(self, block: int, span_ids: Iterable[str]) -> None:
        """Record the spans of a block."""
        self._insert("cold_span_blocks", ("span_id", "block"), ((span_id, block) for span_id in sorted(set(span_ids))))

    def _insert(self, name: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
        sql = f"INSERT INTO {name} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"
        self._db.executemany(sql, rows)

    def finish(self) -> None:
        """Complete and close the file."""
        self._db.execute("COMMIT")
        # Rows of tables without rowids are inserted in any order: this fills their pages, and makes images equal.
        self._db.execute("VACUUM")
        self._db.close()

    def close(self) -> None:
        """Close the file, complete or not."""
        self._db.close()


def open_image(path: Path) -> sqlite3.Connection:
    """Open the image at `path`, migrated to the newest schema, without the indexes that no read of one task needs.

    The file is deleted while it is open. Raises SchemaTooNew and sqlite3.DatabaseError.
    """
    connection = connect(path)
    try:
        path.unlink()
        if {name for name, _ in known()} != applied(connection):
            migrate(connection, keep=False)
            connection.execute("PRAGMA foreign_keys = OFF")
        indexes = "SELECT name FROM sqlite_master WHERE type = 'index' AND tbl_name = 'task_events' AND sql IS NOT NULL"
        for (name,) in connection.execute(indexes).fetchall():
            if name != "task_events_seq":
                connection.execute(f"DROP INDEX {name}")
    except BaseException:
        connection.close()
        raise
    return connection


def select(table: Table) -> str:
    """Return the query of all rows of a table."""
    source = table.name
    if table is TASKS:
        source = "(SELECT tasks.*, identity, last_seq FROM tasks JOIN task_event_seq_counters USING (task_id))"
    return f"SELECT {', '.join(table.names)} FROM {source} ORDER BY {', '.join(table.key)}"

"""The same inserts in plain `sqlite3`: the store's schema, pragmas and indexes, without projections or checks.

Rows are prepared before the clock starts, with payloads as JSON, so this is the maximum speed of the database. A
generated column is a projection too, so it can be left out together with its indexes.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from signalbox.store import NewEvent, open_store
from signalbox.store.sqlite.connection import BUSY_TIMEOUT, PRAGMAS

INSERT = (
    "INSERT INTO task_events"
    " (task_id, seq, event_type, phase, actor, span_id, parent_span_id, payload, created_at, key)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
RawRow = tuple[str | None, ...]


def connect(path: Path) -> sqlite3.Connection:
    """Open a connection with the store's pragmas."""
    connection = sqlite3.connect(path, timeout=BUSY_TIMEOUT, isolation_level=None)
    for pragma in (*PRAGMAS, "PRAGMA synchronous = NORMAL"):
        connection.execute(pragma)
    return connection


def create(path: Path, task_id: str, *, derived: bool = False) -> sqlite3.Connection:
    """Create a database with the store's schema and one task. `derived` keeps generated columns and their indexes."""
    store = open_store(f"sqlite:///{path}")
    store.create_task(task_id)
    store.close()
    connection = connect(path)
    if not derived:
        _drop_derived(connection)
    return connection


def _drop_derived(connection: sqlite3.Connection) -> None:
    generated = connection.execute("SELECT name FROM pragma_table_xinfo('task_events') WHERE hidden > 1").fetchall()
    indexes = "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND tbl_name = 'task_events' AND sql <> ''"
    for (column,) in generated:
        for name, sql in connection.execute(indexes).fetchall():
            if re.search(rf"\b{column}\b", sql.partition(" ON ")[2]):
                connection.execute(f"DROP INDEX {name}")
        connection.execute(f"ALTER TABLE task_events DROP COLUMN {column}")


def rows_of(events: Sequence[NewEvent]) -> list[RawRow]:
    """Return the events as table rows, without task and seq."""
    at = datetime.now(UTC).isoformat(timespec="microseconds")[:-6] + "Z"
    payloads = [msgspec.json.encode(event.payload).decode() for event in events]
    return [
        (e.event_type, e.phase, e.actor, e.span_id or "main", e.parent_span_id, payload, at, e.key)
        for e, payload in zip(events, payloads, strict=True)
    ]


def append(connection: sqlite3.Connection, task_id: str, rows: Sequence[RawRow]) -> None:
    """Append in one transaction: read the counter, insert the rows, update the counter."""
    connection.execute("BEGIN IMMEDIATE")
    counter = "SELECT last_seq FROM task_event_seq_counters WHERE task_id = ?"
    (seq,) = connection.execute(counter, (task_id,)).fetchone()
    connection.executemany(INSERT, [(task_id, seq + n, *row) for n, row in enumerate(rows, 1)])
    move = "UPDATE task_event_seq_counters SET last_seq = ? WHERE task_id = ?"
    connection.execute(move, (seq + len(rows), task_id))
    connection.execute("COMMIT")

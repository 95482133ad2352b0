"""Removal of the rows of a task, in steps that hold the write lock for a few milliseconds each.

A deleted task disappears in one short transaction (`hide`), which also notes in `task_removals` that rows of it are
left. `step` removes them. Any process may take the next step, so a removal that was interrupted is continued. Until it
is complete, no task is created with the same id, and readers of all tasks leave out its events: see `PRESENT`.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import NamedTuple

from signalbox.store.errors import TaskBeingRemoved
from signalbox.store.sql import artifacts
from signalbox.store.sql.database import Database

STEP_SECONDS = 0.006
"""Seconds after which a step ends."""

PAUSE_FACTOR = 3
"""The pause after a step, as a multiple of the time that it took."""

WEIGHT = 1000
"""The weight of a step for the group commit, in events: it shares a transaction with few others."""

MAX_CHUNK = 256
"""The most rows that one statement deletes. The first ones delete fewer, because rows may be large."""

PRESENT = "task_id NOT IN (SELECT task_id FROM task_removals)"
"""The condition that a row does not belong to a deleted task."""


class TaskTable(NamedTuple):
    """A table with rows of tasks, and the column that tells the rows of one task apart."""

    table: str
    key: str


ARTIFACTS = TaskTable("task_artifacts", "seq")

LOG = (
    ARTIFACTS,
    TaskTable("task_events", "seq"),
    TaskTable("task_spans", "span_id"),
    TaskTable("task_phases", "phase"),
    TaskTable("task_checkpoints", "checkpoint_id"),
    TaskTable("task_messages", "seq"),
    TaskTable("task_heartbeats", "first_seq"),
    TaskTable("task_conversation", "first_seq"),
)
"""The tables that grow with the log of a task."""

PARTS = (
    *LOG,
    TaskTable("task_permissions", "request_id"),
    TaskTable("signed_heads", "seq"),
    TaskTable("redacted_events", "seq"),
)
"""These tables and those that cold storage leaves in the database. An imported log may have many redacted events."""

SMALL = ("task_tags", "task_unfinished", "task_sizes", "cold_tasks")
"""The tables with a few rows per task."""


def hide(db: Database, task_id: str) -> None:
    """Delete a task. Rows that cannot be deleted within a few milliseconds are left to `step`.

    SQLite must not enforce foreign keys in this transaction.
    """
    (identity, last_seq) = db.execute(
        "SELECT identity, last_seq FROM task_event_seq_counters WHERE task_id = ?", (task_id,)
    ).fetchone() or ("", 0)
    at = db.now()
    db.remove_task(task_id)
    for table in SMALL:
        db.execute(f"DELETE FROM {table} WHERE task_id = ?", (task_id,))
    # The number of open requests of all tasks is counted without their tasks.
    db.execute("DELETE FROM task_permissions WHERE task_id = ? AND open = 1", (task_id,))
    db.take_event_id()
    if remove_some(db, task_id):
        db.execute(
            "INSERT INTO task_removals (task_id, identity, last_seq, at) VALUES (?, ?, ?, ?)",
            (task_id, identity, last_seq, at),
        )


def step(db: Database, task_id: str | None = None) -> bool:
    """Remove some rows of this deleted task, or of the one that was deleted first. Return whether it has rows left.

    Without `task_id`, return whether any deleted task has rows left.
    """
    chosen = task_id
    if chosen is None:
        found = db.execute("SELECT task_id FROM task_removals ORDER BY at, task_id LIMIT 1").fetchone()
        if found is None:
            return False
        chosen = str(found[0])
    elif not is_waiting(db, chosen):
        return False
    if remove_some(db, chosen):
        return True
    db.execute("DELETE FROM task_removals WHERE task_id = ?", (chosen,))
    return task_id is None and db.execute("SELECT 1 FROM task_removals LIMIT 1").fetchone() is not None


def is_waiting(db: Database, task_id: str) -> bool:
    """Return whether rows of a deleted task with this id are left."""
    return db.execute("SELECT 1 FROM task_removals WHERE task_id = ?", (task_id,)).fetchone() is not None


def refuse_waiting(db: Database, task_id: str) -> None:
    """Raise TaskBeingRemoved if rows of a deleted task with this id are left."""
    if is_waiting(db, task_id):
        raise TaskBeingRemoved(task_id)


def remove_some(db: Database, task_id: str, parts: Sequence[TaskTable] = PARTS, seconds: float = STEP_SECONDS) -> bool:
    """Delete rows of a task from these tables for about `seconds`. Return whether rows may be left."""
    until = time.monotonic() + seconds
    for part in parts:
        chunk = 8
        while True:
            begun = time.monotonic()
            if not (
                artifacts.remove_one(db, task_id) if part is ARTIFACTS else _remove_chunk(db, task_id, part, chunk)
            ):
                break
            now = time.monotonic()
            if now >= until:
                return True
            if now - begun < seconds / 4:
                chunk = min(2 * chunk, MAX_CHUNK)
    return False


def _remove_chunk(db: Database, task_id: str, part: TaskTable, rows: int) -> bool:
    """Delete the first rows of a task in a table. Return whether there may be more."""
    table, key = part
    sql = f"SELECT {key} FROM {table} WHERE task_id = ? ORDER BY {key} LIMIT 1 OFFSET ?"
    last = db.execute(sql, (task_id, rows - 1)).fetchone()
    if last is None:
        db.execute(f"DELETE FROM {table} WHERE task_id = ?", (task_id,))
        return False
    db.execute(f"DELETE FROM {table} WHERE task_id = ? AND {key} <= ?", (task_id, last[0]))
    return True

"""Restoring a task from cold storage."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from signalbox.store.contract.values import ColdTask
from signalbox.store.sql.append import check_stored_identity
from signalbox.store.sql.cold_tasks.stages import held_until, hold, is_held
from signalbox.store.sql.database import Database
from signalbox.store.sql.views.cold import COLUMNS

EVENTS_PER_STATEMENT = 20
ROWS_PER_STATEMENT = 100
"""Rows between two looks at the time. An event may have 256 KiB."""


def begin_restoring(db: Database, task_id: str, identity: str | None, holder: str) -> ColdTask | bool:
    """Note that this process restores a task, and return where its log is.

    Return True if the log is in the database already, and False if another process restores it now. Raises UnknownTask.
    """
    sql = f"SELECT {COLUMNS}, holder, held_until FROM cold_tasks WHERE task_id = ? AND stage <> 'packing'"
    row = db.execute(sql, (task_id,)).fetchone()
    if identity is not None or row is None:
        check_stored_identity(db, task_id, identity)
    if row is None:
        return True
    cold, held_by, until = ColdTask(*row[:-2]), row[-2], row[-1]
    if cold.stage == "restoring" and held_by not in (None, holder) and is_held(db, until):
        return False
    db.execute(
        "UPDATE cold_tasks SET stage = 'restoring', holder = ?, held_until = ? WHERE task_id = ?",
        (holder, held_until(db), task_id),
    )
    return cold


def put_events(
    db: Database, task_id: str, holder: str, columns: Sequence[str], rows: Sequence[Sequence[Any]], seconds: float
) -> int | None:
    """Write events to the database that are not there, for about `seconds`. Return how many of `rows` are there now.

    Return None if this process is no longer the holder.
    """
    if not hold(db, task_id, holder, "restoring"):
        return None
    until, done = time.monotonic() + seconds, 0
    while done < len(rows) and (not done or time.monotonic() < until):
        db.put_events(columns, rows[done : done + EVENTS_PER_STATEMENT])
        db.execute("SELECT 1").fetchone()  # waits for PostgreSQL, so that the time is that of the work
        done += EVENTS_PER_STATEMENT
    return min(done, len(rows))


def put_rows(
    db: Database, task_id: str, holder: str, sql: str, rows: Sequence[Sequence[Any]], seconds: float
) -> int | None:
    """Write rows of a part with `sql`, an INSERT. The results are those of `put_events`."""
    if not hold(db, task_id, holder, "restoring"):
        return None
    until, done = time.monotonic() + seconds, 0
    while done < len(rows) and (not done or time.monotonic() < until):
        db.executemany(sql, rows[done : done + ROWS_PER_STATEMENT])
        db.execute("SELECT 1").fetchone()
        done += ROWS_PER_STATEMENT
    return min(done, len(rows))


def bring_back(db: Database, task_id: str, holder: str) -> bool:
    """Make the database the place of the log again. All rows and contents must be there."""
    if not hold(db, task_id, holder, "restoring"):
        return False
    db.execute("UPDATE tasks SET cold = NULL WHERE task_id = ?", (task_id,))
    db.execute("DELETE FROM cold_tasks WHERE task_id = ?", (task_id,))
    db.take_event_id()
    return True

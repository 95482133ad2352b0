"""The rows of tasks at any stage, and the process that holds one."""

from __future__ import annotations

from typing import NamedTuple

from signalbox.store.contract.values import ColdTask
from signalbox.store.sql.database import Database
from signalbox.store.sql.views.cold import COLUMNS
from signalbox.store.times import epoch_seconds, timestamp

HOLD_SECONDS = 30.0
"""Seconds after which another process may take over a task whose holder has not renewed it."""


ON_THEIR_WAY = "SELECT task_id FROM cold_tasks WHERE stage <> 'cold' AND stage <> 'packing'"
"""The tasks whose log is in its file, while rows of it are still being removed or are being written again."""


class StoredFile(NamedTuple):
    """A file of cold storage: its place and its name."""

    place: str
    name: str


def is_cold(db: Database, task_id: str) -> bool:
    """Return whether the log of a task is in its file."""
    return db.execute("SELECT 1 FROM tasks WHERE task_id = ? AND cold = 1", (task_id,)).fetchone() is not None


def file_of(db: Database, task_id: str) -> StoredFile | None:
    """Return the file of a task that is in cold storage or on its way. Its caller deletes the task."""
    row = row_of(db, task_id)
    return StoredFile(row[1], row[2]) if row is not None else None


def named_files(db: Database, place: str) -> set[str]:
    """Return the names of all files at a place to which a task refers."""
    return {row[0] for row in db.execute("SELECT name FROM cold_tasks WHERE place = ?", (place,)).fetchall()}


def places_of(db: Database) -> set[str]:
    """Return all places with files of this store."""
    return {row[0] for row in db.execute("SELECT DISTINCT place FROM cold_tasks").fetchall()}


def interrupted(db: Database, limit: int) -> list[tuple[str, str]]:
    """Return the tasks whose holder is gone, each with its stage."""
    sql = (
        "SELECT task_id, stage FROM cold_tasks WHERE stage <> 'cold'"
        " AND (held_until IS NULL OR held_until NOT BETWEEN ? AND ?) ORDER BY task_id LIMIT ?"
    )
    return [(row[0], row[1]) for row in db.execute(sql, (db.now(), held_until(db), limit)).fetchall()]


def take(db: Database, task_id: str, holder: str, stage: str) -> ColdTask | None:
    """Become the holder of a task whose holder is gone. Return None if it is not at this stage any more."""
    sql = f"SELECT {COLUMNS}, held_until FROM cold_tasks WHERE task_id = ? AND stage = ?"
    row = db.execute(sql, (task_id, stage)).fetchone()
    if row is None or is_held(db, row[-1]):
        return None
    db.execute("UPDATE cold_tasks SET holder = ?, held_until = ? WHERE task_id = ?", (holder, held_until(db), task_id))
    return ColdTask(*row[:-1])


def row_of(db: Database, task_id: str) -> tuple[str, str, str, str | None, str] | None:
    """Return the stage, the place, the name of the file, the holder and the end of the hold of a task, or None."""
    sql = "SELECT stage, place, name, holder, coalesce(held_until, '') FROM cold_tasks WHERE task_id = ?"
    found: tuple[str, str, str, str | None, str] | None = db.execute(sql, (task_id,)).fetchone()
    return found


def hold(db: Database, task_id: str, holder: str, stage: str) -> bool:
    """Hold a task at this stage for another `HOLD_SECONDS`. Return False if it is not at this stage or not held."""
    row = row_of(db, task_id)
    if row is None or row[3] != holder or row[0] != stage:
        return False
    db.execute("UPDATE cold_tasks SET held_until = ? WHERE task_id = ?", (held_until(db), task_id))
    return True


def let_go(db: Database, holder: str) -> None:
    """Let other processes take over all tasks that this process holds."""
    db.execute("UPDATE cold_tasks SET holder = NULL, held_until = NULL WHERE holder = ?", (holder,))


def is_held(db: Database, until: str | None) -> bool:
    """Return whether a hold with this end is in force. One that ends later than any is from before a clock step."""
    return until is not None and db.now() <= until <= held_until(db)


def held_until(db: Database) -> str:
    """Return the end of a hold that begins now."""
    return timestamp(epoch_seconds(db.now()) + HOLD_SECONDS)

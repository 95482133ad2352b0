"""Moving a task to cold storage."""

from __future__ import annotations

from typing import NamedTuple

from signalbox.store.diagnosis.cause import DIAGNOSED
from signalbox.store.errors import Conflict, UnknownTask
from signalbox.store.identity import check_identity
from signalbox.store.sql import diagnosing, removal
from signalbox.store.sql.append import load_task
from signalbox.store.sql.cold_tasks.stages import StoredFile, held_until, hold, is_held, row_of
from signalbox.store.sql.database import Database
from signalbox.store.state import Task

_MIGRATION = "%_cold"
_FINGERPRINT = "SELECT fingerprint FROM tasks WHERE task_id = ?"


class PackedFile(NamedTuple):
    """The facts of a packed file that the row of its task has. `last_seq` is that of the packed log."""

    bytes: int
    sha256: str
    events: int
    first_event_id: int
    last_event_id: int
    last_seq: int


class TaskNotMovable(Conflict):
    """The task cannot go to cold storage now. The message says why."""


def begin(
    db: Database, task_id: str, identity: str | None, holder: str, file: StoredFile
) -> tuple[Task, StoredFile | None]:
    """Note that `holder` packs a task. Return the task, and the file that a killed process may have left.

    Raises UnknownTask and TaskNotMovable.
    """
    task = load_task(db, task_id)
    if task is None:
        raise UnknownTask(task_id)
    check_identity(task_id, identity, task.identity)
    if not task.ended:
        raise TaskNotMovable(f"the task {task_id!r} is {task.status}; only tasks that ended can move to cold storage")
    if _is_held(db, task):
        raise TaskNotMovable(f"the task {task_id!r} is held; release it first")
    left: StoredFile | None = None
    row = row_of(db, task_id)
    if row is not None:
        stage, place, name, held_by, until = row
        if stage != "packing":
            raise TaskNotMovable(f"the task {task_id!r} is in cold storage already")
        if held_by != holder and is_held(db, until):
            raise TaskNotMovable(f"the task {task_id!r} is being moved now")
        left = StoredFile(place, name)
    if task.status in DIAGNOSED and not db.execute(_FINGERPRINT, (task_id,)).fetchone()[0]:
        # The lines that say why a run failed are found in the log, which will be in the file.
        diagnosing.update(db, task)
    db.execute("DELETE FROM cold_tasks WHERE task_id = ?", (task_id,))
    db.execute(
        "INSERT INTO cold_tasks (task_id, identity, stage, place, name, holder, held_until)"
        " VALUES (?, ?, 'packing', ?, ?, ?, ?)",
        (task_id, task.identity, *file, holder, held_until(db)),
    )
    return task, left


def mark(db: Database, task: Task, holder: str, packed: PackedFile, last_line: str | None) -> bool:
    """Make the file the place of the log, unless the task changed after it was packed."""
    row = row_of(db, task.task_id)
    now = load_task(db, task.task_id)
    if row is None or row[0] != "packing" or row[3] != holder or now is None:
        return False
    if (now.identity, now.latest_seq, now.ended) != (task.identity, packed.last_seq, True) or _is_held(db, task):
        return False
    db.execute(
        "UPDATE cold_tasks SET stage = 'clearing', bytes = ?, sha256 = ?, events = ?, first_event_id = ?,"
        " last_event_id = ?, moved_at = ?, last_line = ?, held_until = ? WHERE task_id = ?",
        (*packed[:5], db.now(), last_line, held_until(db), task.task_id),
    )
    db.execute("UPDATE tasks SET cold = 1 WHERE task_id = ?", (task.task_id,))
    # Programs of earlier versions would take the cleared log for an empty one, so they must not open the database.
    db.execute(
        "UPDATE migration_marks SET compatible_from = name WHERE name LIKE ? AND compatible_from <> name", (_MIGRATION,)
    )
    db.take_event_id()  # readers notice the change
    return True


def clear(db: Database, task_id: str, holder: str) -> bool | None:
    """Remove rows of a task whose log is in the file, for a few milliseconds. Return whether rows may be left.

    Return None if this process is no longer the holder.
    """
    if not hold(db, task_id, holder, "clearing"):
        return None
    return removal.remove_some(db, task_id, removal.LOG)


def finish(db: Database, task_id: str, holder: str) -> bool:
    """Note that no row is left to clear."""
    if not hold(db, task_id, holder, "clearing"):
        return False
    db.execute("UPDATE cold_tasks SET stage = 'cold', holder = NULL, held_until = NULL WHERE task_id = ?", (task_id,))
    return True


def abandon(db: Database, task_id: str, file: StoredFile) -> bool:
    """Forget a file that did not become the place of the log. Return False if it did."""
    of_file = "FROM cold_tasks WHERE task_id = ? AND place = ? AND name = ?"
    db.execute(f"DELETE {of_file} AND stage = 'packing'", (task_id, *file))
    return db.execute(f"SELECT 1 {of_file}", (task_id, *file)).fetchone() is None


def cancel_packing(db: Database, task_id: str) -> None:
    """Make the move of a task fail that packs its rows now. Call this where stored events change."""
    db.execute("DELETE FROM cold_tasks WHERE task_id = ? AND stage = 'packing'", (task_id,))


def _is_held(db: Database, task: Task) -> bool:
    sql = "SELECT 1 FROM tasks WHERE task_id = ? AND hold IS NOT NULL"
    return db.execute(sql, (task.task_id,)).fetchone() is not None

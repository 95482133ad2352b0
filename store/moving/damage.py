"""Finding the parts of a source that cannot be read, so that the error of a move names the tasks."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator

from signalbox.store.errors import StoreDamaged
from signalbox.store.moving.side import DatabaseSide
from signalbox.store.moving.tables import AUDITS, EVENTS, OF_TASKS, PIECES, WHOLE, Row


def unreadable_parts(source: DatabaseSide, pause_point: Callable[[], None]) -> list[str]:
    """Read the whole source, and return a message for each task and each table that cannot be read."""
    with source.snapshot():
        return list(_unreadable_parts(source, pause_point))


def _unreadable_parts(source: DatabaseSide, pause_point: Callable[[], None]) -> Iterator[str]:
    for table in (AUDITS, *WHOLE, PIECES):
        if reason := _reason(source.select(table)):
            yield f"the table {table.name}: {reason}"
    try:
        task_ids = [str(row[0]) for row in source.rows("SELECT task_id FROM tasks ORDER BY task_id")]
        orphans = list(source.rows(_ORPHANS))
    except StoreDamaged as error:
        yield f"the list of tasks: {error}"
        return
    for task_id in task_ids:
        pause_point()
        for table in OF_TASKS:
            if reason := _reason(source.of_tasks(table, [task_id])):
                where = f"{table.name} from #{_first_unreadable(source, task_id)} on" if table is EVENTS else table.name
                yield f"task {task_id}: {where}: {reason}"
    for (task_id,) in orphans:
        yield f"task {task_id}: it has events, but no row in the list of tasks"


_ORPHANS = "SELECT DISTINCT task_id FROM task_events WHERE task_id NOT IN (SELECT task_id FROM tasks)"


def _first_unreadable(source: DatabaseSide, task_id: str) -> int:
    seq = 0
    try:
        for row in source.select(EVENTS, "WHERE task_id = ? ORDER BY seq", task_id):
            seq = row[EVENTS.names.index("seq")]
    except StoreDamaged:
        pass
    return seq + 1


def _reason(rows: Iterator[Row]) -> str | None:
    """Return why these rows cannot be read, or None if they can."""
    try:
        deque(rows, maxlen=0)
    except StoreDamaged as error:
        return str(error)
    return None

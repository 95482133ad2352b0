"""Actions of people on the task list, with their audits: delete, archive, save a view."""

from __future__ import annotations

import sqlite3

from signalbox.store.contract import Who
from signalbox.store.errors import Conflict, InvalidEvent, NotFound, UnknownTask, UnreadableTask
from signalbox.store.events import check_text
from signalbox.store.sqlite import append as appending
from signalbox.store.sqlite import audits
from signalbox.store.sqlite.damaged import TASK_COLUMNS, damaged_task
from signalbox.store.sqlite.task_list import TASK, task_of
from signalbox.store.state import Task
from signalbox.store.task_list import SavedView
from signalbox.store.times import now

MAX_VIEWS = 100
MAX_NAME_CHARS = 80
MAX_FILTERS_CHARS = 2000


def delete(
    db: sqlite3.Connection, task_id: str, actor: str | Who | None, source: str | None, identity: str | None = None
) -> Task:
    """Delete a task and return its last state. Raises UnknownTask, and Conflict while the run goes on.

    Without an actor, a task of any status is deleted and no audit is added.
    """
    task = _task_or_placeholder(db, task_id, identity)
    if actor is None:
        _remove(db, task_id)
        return task
    if not task.deletable:
        raise Conflict(f"the run goes on: it is {task.status}; cancel it first, or archive the task")
    detail: dict[str, object] = {
        "title": task.title,
        "kind": task.kind,
        "status": task.status,
        "events": task.latest_seq,
    }
    # Add the audit first: it reads the project from the task.
    _audit(db, actor, "task_deleted", source, detail, task_id)
    _remove(db, task_id)
    return task


def _remove(db: sqlite3.Connection, task_id: str) -> None:
    db.execute("DELETE FROM tasks WHERE task_id = ?", (task_id,))
    appending.take_event_id(db)


def archive(
    db: sqlite3.Connection,
    task_id: str,
    archived: bool,
    actor: str | Who,
    source: str | None,
    identity: str | None = None,
) -> Task:
    """Archive a task, or restore it. Does nothing if the task is already archived, or already restored."""
    task = _task_or_placeholder(db, task_id, identity)
    if archived == (task.archived_at is not None):
        return task
    task.archived_at = now() if archived else None
    db.execute("UPDATE tasks SET archived_at = ? WHERE task_id = ?", (task.archived_at, task_id))
    appending.take_event_id(db)
    _audit(db, actor, "task_archived" if archived else "task_restored", source, {"title": task.title}, task_id)
    return task


def mark_stale(db: sqlite3.Connection, task_id: str, latest_seq: int) -> bool:
    """Mark a running task as stale if it has no event after `latest_seq`. Return whether the mark is new."""
    task = _task(db, task_id)
    if task.stale or task.status != "running" or task.latest_seq != latest_seq:
        return False
    db.execute("UPDATE tasks SET stale = 1 WHERE task_id = ?", (task_id,))
    appending.take_event_id(db)
    return True


def save_view(
    db: sqlite3.Connection, name: str, filters: str, actor: str | Who, source: str | None, project_id: str | None = None
) -> SavedView:
    """Save filters under a name, for one project or, if None, for all projects. Raises InvalidEvent and Conflict."""
    check_text(name, "name", limit=MAX_NAME_CHARS)
    if len(filters) > MAX_FILTERS_CHARS:
        raise InvalidEvent(f"filters must have at most {MAX_FILTERS_CHARS} characters, not {len(filters)}", "filters")
    (taken, total) = db.execute(
        "SELECT count(*) FILTER (WHERE name = ?1), count(*) FROM saved_views WHERE project_id IS ?2", (name, project_id)
    ).fetchone()
    if taken:
        raise Conflict(f"there is a view {name!r} already; choose another name, or delete that view")
    if total >= MAX_VIEWS:
        raise Conflict(f"there are already {MAX_VIEWS} saved views, which is the limit; delete one first")
    at = now()
    cursor = db.execute(
        "INSERT INTO saved_views (name, filters, created_at, project_id) VALUES (?, ?, ?, ?)",
        (name, filters, at, project_id),
    )
    appending.take_event_id(db)
    _audit(db, actor, "view_saved", source, {"name": name, "filters": filters})
    return SavedView(
        view_id=int(cursor.lastrowid or 0), name=name, filters=filters, created_at=at, project_id=project_id
    )


def delete_view(db: sqlite3.Connection, view_id: int, actor: str | Who, source: str | None) -> SavedView:
    """Delete a saved view and return it. Raises NotFound."""
    row = db.execute("SELECT * FROM saved_views WHERE view_id = ?", (view_id,)).fetchone()
    if row is None:
        raise NotFound(f"there is no saved view {view_id}")
    view = view_of(*row)
    db.execute("DELETE FROM saved_views WHERE view_id = ?", (view_id,))
    appending.take_event_id(db)
    _audit(db, actor, "view_deleted", source, {"name": view.name, "filters": view.filters})
    return view


def view_of(view_id: int, name: str, filters: str, created_at: str, project_id: str | None) -> SavedView:
    """Return the saved view of one row."""
    return SavedView(view_id=view_id, name=name, filters=filters, created_at=created_at, project_id=project_id)


def _task(db: sqlite3.Connection, task_id: str, identity: str | None = None) -> Task:
    row = db.execute(f"SELECT {TASK} FROM tasks WHERE task_id = ?", (task_id,)).fetchone()
    if row is None:
        raise UnknownTask(task_id)
    if identity is not None:
        appending.check_identity(db, task_id, identity)
    return task_of(*row)


def _task_or_placeholder(db: sqlite3.Connection, task_id: str, identity: str | None = None) -> Task:
    try:
        return _task(db, task_id, identity)
    except UnreadableTask:
        row = db.execute(f"SELECT {TASK_COLUMNS} FROM tasks WHERE task_id = ?", (task_id,)).fetchone()
        return damaged_task(row)


def _audit(
    db: sqlite3.Connection,
    actor: str | Who,
    action: str,
    source: str | None,
    detail: dict[str, object],
    task_id: str | None = None,
) -> None:
    audits.add(db, audits.checked(actor, action, source, detail), task_id, None)

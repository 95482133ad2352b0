"""Actions of people on the task list, with their audits: delete, archive, save a view."""

from __future__ import annotations

from contextlib import suppress

from signalbox.store.contract import Fence, Who
from signalbox.store.contract.reading.space import EndedTask
from signalbox.store.diagnosis.cause import DIAGNOSED
from signalbox.store.errors import Conflict, InvalidEvent, NotFound, UnknownTask, UnreadableTask
from signalbox.store.events import MAX_REASON_CHARS, check_text
from signalbox.store.sql import append as appending
from signalbox.store.sql import audits, diagnosing, leases, removal
from signalbox.store.sql.cold_tasks.stages import is_cold
from signalbox.store.sql.damaged import damaged_task
from signalbox.store.sql.database import Database
from signalbox.store.sql.rows import to_json
from signalbox.store.sql.task_list import SAVED_VIEW_COLUMNS, columns, damaged_columns, saved_view_of, task_of
from signalbox.store.state import Hold, Task
from signalbox.store.task_query import SavedView

MAX_VIEWS = 100
MAX_NAME_CHARS = 80
MAX_FILTERS_CHARS = 2000


def delete(
    db: Database, task_id: str, actor: str | Who | None, source: str | None, identity: str | None = None
) -> Task:
    """Delete a task and return its last state. Raises UnknownTask, and Conflict if the run has not ended.

    Without an actor, a task of any status is deleted and no audit is added.
    """
    task = _task_or_placeholder(db, task_id, identity)
    if task.hold is not None:
        raise Conflict(held_words(task.hold))
    if actor is None:
        removal.hide(db, task_id)
        return task
    if not task.deletable:
        raise Conflict(f"the run has not ended: it is {task.status}; cancel it first, or archive the task")
    _delete(db, task, actor, source)
    return task


def _delete(
    db: Database, task: Task, actor: str | Who, source: str | None, more: dict[str, object] | None = None
) -> None:
    detail: dict[str, object] = {
        "title": task.title,
        "kind": task.kind,
        "status": task.status,
        "events": task.latest_seq,
        **(more or {}),
    }
    # Add the audit first: it reads the project from the task.
    _audit(db, actor, "task_deleted", source, detail, task.task_id)
    removal.hide(db, task.task_id)


def delete_by_rule(db: Database, found: EndedTask, rule: str) -> bool:
    """Delete a task because of a rule, unless it has changed since it was found. Return whether it was deleted."""
    try:
        task = _task_or_placeholder(db, found.task_id, found.identity)
    except UnknownTask:
        return False
    if task.hold is not None or not task.deletable or task.latest_seq != found.latest_seq:
        return False
    _delete(db, task, "supervisor", "retention", {"rule": rule})
    return True


def held_words(hold: Hold) -> str:
    """Return why a held task cannot be deleted."""
    return f"{hold.by} holds the run since {hold.at[:10]}: {hold.reason}. Release the hold first"


def archive(
    db: Database,
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
    task.archived_at = db.now() if archived else None
    db.execute("UPDATE tasks SET archived_at = ? WHERE task_id = ?", (task.archived_at, task_id))
    db.take_event_id()
    _audit(db, actor, "task_archived" if archived else "task_restored", source, {"title": task.title}, task_id)
    return task


def hold(
    db: Database,
    task_id: str,
    reason: str | None,
    actor: str | Who,
    source: str | None,
    identity: str | None = None,
) -> Task:
    """Hold a task for a reason, or release it if the reason is None. Releasing a task without a hold does nothing."""
    if reason is not None:
        check_text(reason, "reason", limit=MAX_REASON_CHARS)
    task = _task_or_placeholder(db, task_id, identity)
    if reason is None and task.hold is None:
        return task
    who = actor if isinstance(actor, str) else actor.name
    task.hold = None if reason is None else Hold(at=db.now(), by=who, reason=reason)
    stored = None if task.hold is None else to_json(task.hold)
    db.execute("UPDATE tasks SET hold = ? WHERE task_id = ?", (stored, task_id))
    db.take_event_id()
    detail: dict[str, object] = {"title": task.title} if reason is None else {"title": task.title, "reason": reason}
    _audit(db, actor, "hold_released" if reason is None else "task_held", source, detail, task_id)
    return task


def mark_stale(db: Database, task_id: str, latest_seq: int, fence: Fence | None) -> bool:
    """Mark a running task as stale if it has no event after `latest_seq`. Return whether the mark is new."""
    leases.check(db, fence)
    task = _task(db, task_id)
    if task.stale or task.status != "running" or task.latest_seq != latest_seq:
        return False
    db.execute("UPDATE tasks SET stale = TRUE WHERE task_id = ?", (task_id,))
    db.take_event_id()
    return True


def diagnose(db: Database, task_id: str) -> None:
    """Store the diagnosis of a failed run. Does nothing for other tasks, and for one that cannot be read."""
    with suppress(UnreadableTask):
        task = appending.load_task(db, task_id)
        # The log of a task in cold storage was diagnosed when it was moved.
        if task is not None and task.status in DIAGNOSED and not is_cold(db, task_id):
            diagnosing.update(db, task)


def save_view(
    db: Database, name: str, filters: str, actor: str | Who, source: str | None, project_id: str | None = None
) -> SavedView:
    """Save filters under a name, for one project or, if None, for all projects. Raises InvalidEvent and Conflict."""
    check_text(name, "name", limit=MAX_NAME_CHARS)
    if len(filters) > MAX_FILTERS_CHARS:
        raise InvalidEvent(f"filters must have at most {MAX_FILTERS_CHARS} characters, not {len(filters)}", "filters")
    of_project, values = ("project_id IS NULL", []) if project_id is None else ("project_id = ?", [project_id])
    (taken, total) = db.execute(
        f"SELECT count(*) FILTER (WHERE lower(name) = lower(?)), count(*) FROM saved_views WHERE {of_project}",
        (name, *values),
    ).fetchone()
    if taken:
        raise Conflict(f"there is a view {name!r} already; use another name, or delete that view")
    if total >= MAX_VIEWS:
        raise Conflict(f"there are already {MAX_VIEWS} saved views, which is the limit; delete one first")
    at = db.now()
    (view_id,) = db.execute(
        "INSERT INTO saved_views (name, filters, created_at, project_id) VALUES (?, ?, ?, ?) RETURNING view_id",
        (name, filters, at, project_id),
    ).fetchone()
    db.take_event_id()
    _audit(db, actor, "view_saved", source, {"name": name, "filters": filters})
    return SavedView(view_id=view_id, name=name, filters=filters, created_at=at, project_id=project_id)


def delete_view(db: Database, view_id: int, actor: str | Who, source: str | None) -> SavedView:
    """Delete a saved view and return it. Raises NotFound."""
    sql = f"SELECT {SAVED_VIEW_COLUMNS} FROM saved_views WHERE view_id = ?"
    row = db.execute(sql, (view_id,)).fetchone()
    if row is None:
        raise NotFound(f"there is no saved view {view_id}")
    view = saved_view_of(row, db.dialect)
    db.execute("DELETE FROM saved_views WHERE view_id = ?", (view_id,))
    db.take_event_id()
    _audit(db, actor, "view_deleted", source, {"name": view.name, "filters": view.filters})
    return view


def _task(db: Database, task_id: str, identity: str | None = None) -> Task:
    row = db.execute(f"SELECT {columns(db.dialect)} FROM tasks WHERE task_id = ?", (task_id,)).fetchone()
    if row is None:
        raise UnknownTask(task_id)
    if identity is not None:
        appending.check_stored_identity(db, task_id, identity)
    return task_of(*row)


def _task_or_placeholder(db: Database, task_id: str, identity: str | None = None) -> Task:
    try:
        return _task(db, task_id, identity)
    except UnreadableTask:
        row = db.execute(f"SELECT {damaged_columns(db.dialect)} FROM tasks WHERE task_id = ?", (task_id,)).fetchone()
        return damaged_task(row)


def _audit(
    db: Database,
    actor: str | Who,
    action: str,
    source: str | None,
    detail: dict[str, object],
    task_id: str | None = None,
) -> None:
    audits.add(db, audits.checked(actor, action, source, detail), task_id, None)

"""Rebuilding of the projections of one task from its log."""

from __future__ import annotations

from signalbox.store.errors import StoreError
from signalbox.store.history import before_first_event
from signalbox.store.model_calls.marks import may_concern_model
from signalbox.store.projections import apply, count
from signalbox.store.projections.conversation import is_model_span
from signalbox.store.sql import conversation
from signalbox.store.sql.append import load_task
from signalbox.store.sql.database import Database
from signalbox.store.sql.rows import COLUMNS, event_of
from signalbox.store.sql.searching import index as search_index
from signalbox.store.sql.task_state import save_listed, save_state
from signalbox.store.state import TaskState

PARTS = ("task_phases", "task_spans", "task_checkpoints", "task_permissions", "task_messages", "task_conversation")


def refold(db: Database, task_id: str) -> None:
    """Replace the stored projections of a task in `tasks_to_fold` by the fold of its log.

    A task that cannot be read, or whose log is in cold storage, is left as it is.
    """
    if not db.execute("DELETE FROM tasks_to_fold WHERE task_id = ?", (task_id,)).rowcount:
        return
    try:
        task = load_task(db, task_id)
    except StoreError:
        return
    if task is None:
        return
    stale, cold = db.execute("SELECT stale, cold FROM tasks WHERE task_id = ?", (task_id,)).fetchone()
    if cold:
        return
    state, entries = TaskState(task=before_first_event(task)), conversation.Entries()
    not_quiet: list[tuple[str, int]] = []
    sql = f"SELECT {COLUMNS}, quiet FROM task_events WHERE task_id = ? ORDER BY seq"
    result = db.execute(sql, (task_id,))
    while row := result.fetchone():
        # A quiet line changes only counters, so it is not decoded, unless an older version did not read model calls.
        span = state.spans.get(row[6])
        if row[-1] and isinstance(row[8], str) and not may_concern_model(row[8]) and not (span and is_model_span(span)):
            count(state.task, [row[9]])
            continue
        event = event_of(row[:-1])
        if apply(state, event) and row[-1]:
            not_quiet.append((task_id, event.seq))
        entries.add(state, event)
    if state.task.latest_seq != task.latest_seq:
        # The log is incomplete, so the stored projections are more accurate.
        return
    state.task.main_span_id = state.task.main_span_id or task.main_span_id
    if not_quiet:
        db.executemany("UPDATE task_events SET quiet = NULL WHERE task_id = ? AND seq = ?", not_quiet)
    for table in PARTS:
        db.execute(f"DELETE FROM {table} WHERE task_id = ?", (task_id,))
    conversation.record_all(db, task_id, entries.found)
    *_, link = db.head(task_id)
    save_state(db, state, 0, link)
    save_listed(db, state.task)
    db.execute("UPDATE tasks SET stale = ? WHERE task_id = ?", (stale, task_id))
    if state.task.kind != task.kind:
        search_index.kind_changed(db, task_id)

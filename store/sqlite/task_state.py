"""The stored state of one task: reading the rows that events may change, and writing those that they changed."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import suppress
from typing import TypeVar

from signalbox.store.events import NewEvent
from signalbox.store.projections import needs
from signalbox.store.sqlite.rows import readable, to_json
from signalbox.store.state import Checkpoint, Permission, Phase, Span, Task, TaskState
from signalbox.store.times import epoch_seconds

S = TypeVar("S")


def load_state(db: sqlite3.Connection, task: Task, drafts: Sequence[NewEvent]) -> TaskState:
    """Load the part of the task's state that these events can change."""
    needed = needs(task, drafts)

    def load(kind: type[S], table: str, where: str, *values: object) -> list[S]:
        sql = f"SELECT CAST(state AS BLOB) FROM {table} WHERE task_id = ? AND {where}"
        return readable(kind, db.execute(sql, (task.task_id, *values)))

    state = TaskState(task=task)
    for span_id in needed.spans:
        state.spans.update((s.span_id, s) for s in load(Span, "task_spans", "span_id = ?", span_id))
    if needed.interrupted:
        cut = load(Span, "task_spans", "ended_seq >= ?", task.ended_seq)
        state.spans.update((s.span_id, s) for s in cut if s.span_id not in state.spans)
        cleared = load(Permission, "task_permissions", "open = 0 AND changed_seq > ?", task.ended_seq)
        state.permissions.update((p.request_id, p) for p in cleared)
    if needed.open_spans:
        state.spans.update((s.span_id, s) for s in load(Span, "task_spans", "open = 1"))
    if needed.phases:
        found = load(Phase, "task_phases", "1 ORDER BY first_seq")
        state.phases.update((p.phase, p) for p in found)
    for checkpoint_id in needed.checkpoints:
        rows = load(Checkpoint, "task_checkpoints", "checkpoint_id = ?", checkpoint_id)
        state.checkpoints.update((c.checkpoint_id, c) for c in rows)
    for request_id in needed.permissions:
        asked = load(Permission, "task_permissions", "request_id = ?", request_id)
        state.permissions.update((p.request_id, p) for p in asked)
    if needed.open_permissions:
        opened = load(Permission, "task_permissions", "open = 1")
        state.permissions.update((p.request_id, p) for p in opened)
    return state


def save_state(db: sqlite3.Connection, state: TaskState, since_seq: int) -> None:
    """Write every part of `state` that changed after `since_seq`."""
    task = state.task
    task_id = task.task_id
    sql = "UPDATE tasks SET updated_at = ?, state = ?, stale = 0 WHERE task_id = ?"
    db.execute(sql, (task.updated_at, to_json(task), task_id))
    db.execute("UPDATE task_event_seq_counters SET last_seq = ? WHERE task_id = ?", (task.latest_seq, task_id))
    if task.phases_seq > since_seq:
        db.executemany(
            "INSERT OR REPLACE INTO task_phases VALUES (?, ?, ?, ?, ?)",
            [
                (task_id, p.phase, p.first_seq, p.changed_seq, to_json(p))
                for p in state.phases.values()
                if p.changed_seq > since_seq
            ],
        )
    changed = [s for s in state.spans.values() if s.changed_seq > since_seq]
    if changed:
        db.executemany(
            "INSERT OR REPLACE INTO task_spans VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            [
                (
                    task_id,
                    s.span_id,
                    s.parent_span_id,
                    s.started_seq,
                    s.ended_seq,
                    s.state == "open",
                    s.changed_seq,
                    to_json(s),
                )
                for s in changed
            ],
        )
    if task.checkpoints_seq > since_seq:
        db.executemany(
            "INSERT OR REPLACE INTO task_checkpoints VALUES (?, ?, ?, ?, ?)",
            [
                (task_id, c.checkpoint_id, c.seq, c.changed_seq, to_json(c))
                for c in state.checkpoints.values()
                if c.changed_seq > since_seq
            ],
        )
    if task.permissions_seq > since_seq:
        db.executemany(
            "INSERT OR REPLACE INTO task_permissions VALUES (?, ?, ?, ?, ?, ?)",
            [
                (task_id, p.request_id, p.seq, p.state == "open", p.changed_seq, to_json(p))
                for p in state.permissions.values()
                if p.changed_seq > since_seq
            ],
        )


def listed_columns(task: Task) -> tuple[str, str | None, str]:
    """Return the values by which the list of tasks filters and sorts. `save_listed` writes them when they change."""
    return task.status, task.ended_at, task.updated_at[:19]


def save_listed(db: sqlite3.Connection, task: Task) -> None:
    """Write the columns by which the task list filters and sorts. Most events change none of them."""
    duration = None
    if task.started_at and task.ended_at:
        # Round to microseconds: SQLite writes a number into a cursor with 15 digits.
        with suppress(ValueError):
            duration = max(0.0, round(epoch_seconds(task.ended_at) - epoch_seconds(task.started_at), 6))
    sql = "UPDATE tasks SET status = ?, duration = ?, active_at = ? WHERE task_id = ?"
    db.execute(sql, (task.status, duration, task.updated_at[:19], task.task_id))

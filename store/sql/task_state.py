"""The stored state of one task: reading the rows that events may change, and writing those that they changed."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import TypeVar

from signalbox.store.events import NewEvent
from signalbox.store.projections import needs, usage
from signalbox.store.sql import spans_above, tags
from signalbox.store.sql.database import Database
from signalbox.store.sql.rows import readable, to_json
from signalbox.store.state import Checkpoint, Permission, Phase, SentMessage, Span, Task, TaskState
from signalbox.store.times import epoch_seconds


def _upsert(table: str, *columns: str) -> str:
    """Return the SQL that inserts a row, or replaces the row with the same values in the first two columns."""
    changed = ", ".join(f"{name} = excluded.{name}" for name in columns[2:])
    return (
        f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"
        f" ON CONFLICT ({columns[0]}, {columns[1]}) DO UPDATE SET {changed}"
    )


_PHASE = _upsert("task_phases", "task_id", "phase", "first_seq", "changed_seq", "state")
_SPAN = _upsert(
    *("task_spans", "task_id", "span_id", "parent_span_id", "started_seq", "ended_seq", "open", "changed_seq", "state")
)
_ARTIFACT = _upsert("task_artifacts", "task_id", "seq", "sha256", "state")
_CHECKPOINT = _upsert("task_checkpoints", "task_id", "checkpoint_id", "seq", "changed_seq", "state")
_MESSAGE = _upsert("task_messages", "task_id", "seq", "open", "changed_seq", "state")
_PERMISSION = _upsert("task_permissions", "task_id", "request_id", "seq", "open", "changed_seq", "state")

MAX_SINGLE_READS = 8
"""More spans than these are read with one query, which takes longer to begin than a query for one span."""

S = TypeVar("S")


def load_state(db: Database, task: Task, drafts: Sequence[NewEvent]) -> TaskState:
    """Load the part of the task's state that these events can change."""
    needed = needs(task, drafts)

    def load(kind: type[S], table: str, where: str, *values: object) -> list[S]:
        sql = f"SELECT {db.dialect.stored('state')} FROM {table} WHERE task_id = ? AND {where}"
        return readable(kind, db.execute(sql, (task.task_id, *values)).fetchall())

    state = TaskState(task=task)
    if len(needed.spans) <= MAX_SINGLE_READS:
        for span_id in needed.spans:
            state.spans.update((s.span_id, s) for s in load(Span, "task_spans", "span_id = ?", span_id))
    else:
        is_named, named = db.dialect.among("span_id", sorted(needed.spans))
        state.spans.update((s.span_id, s) for s in load(Span, "task_spans", is_named, *named))
    if needed.reporting or needed.parents:
        spans_above.load(db, state, usage.sources(state, needed.reporting, needed.parents), needed.parents)
    if needed.interrupted:
        cut = load(Span, "task_spans", "ended_seq >= ?", task.ended_seq)
        state.spans.update((s.span_id, s) for s in cut if s.span_id not in state.spans)
        cleared = load(Permission, "task_permissions", "open = 0 AND changed_seq > ?", task.ended_seq)
        state.permissions.update((p.request_id, p) for p in cleared)
    if needed.open_spans:
        state.spans.update((s.span_id, s) for s in load(Span, "task_spans", "open = 1 ORDER BY started_seq, span_id"))
    if needed.phases:
        found = load(Phase, "task_phases", "TRUE ORDER BY first_seq")
        state.phases.update((p.phase, p) for p in found)
    for checkpoint_id in needed.checkpoints:
        rows = load(Checkpoint, "task_checkpoints", "checkpoint_id = ?", db.dialect.stored_key(checkpoint_id))
        state.checkpoints.update((c.checkpoint_id, c) for c in rows)
    for request_id in needed.permissions:
        asked = load(Permission, "task_permissions", "request_id = ?", db.dialect.stored_key(request_id))
        state.permissions.update((p.request_id, p) for p in asked)
    if needed.open_permissions:
        opened = load(Permission, "task_permissions", "open = 1")
        state.permissions.update((p.request_id, p) for p in opened)
    for seq in needed.messages:
        sent = load(SentMessage, "task_messages", "seq = ?", seq)
        state.messages.update((m.seq, m) for m in sent)
    return state


def save_state(db: Database, state: TaskState, since_seq: int, link: bytes | None) -> None:
    """Write every part of `state` that changed after `since_seq`, and the newest link of the log."""
    task = state.task
    task_id = task.task_id
    was_stale, task.stale = task.stale, False  # `stale` is not part of the state: it has a column
    db.save_task(task, link, was_stale=was_stale)
    if task.labels_seq > since_seq:
        tags.save(db, task)
    if task.artifacts_seq > since_seq:
        new = [artifact for artifact in state.artifacts.values() if artifact.seq > since_seq]
        db.executemany(_ARTIFACT, [(task_id, found.seq, found.sha256, to_json(found)) for found in new])
    if task.phases_seq > since_seq:
        db.executemany(
            _PHASE,
            [
                (task_id, p.phase, p.first_seq, p.changed_seq, to_json(p))
                for p in state.phases.values()
                if p.changed_seq > since_seq
            ],
        )
    changed = [s for s in state.spans.values() if s.changed_seq > since_seq]
    if changed:
        db.executemany(
            _SPAN,
            [
                (
                    task_id,
                    s.span_id,
                    s.parent_span_id,
                    s.started_seq,
                    s.ended_seq,
                    int(s.state == "open"),
                    s.changed_seq,
                    to_json(s),
                )
                for s in changed
            ],
        )
    if task.checkpoints_seq > since_seq:
        db.executemany(
            _CHECKPOINT,
            [
                (task_id, db.dialect.stored_key(c.checkpoint_id), c.seq, c.changed_seq, to_json(c))
                for c in state.checkpoints.values()
                if c.changed_seq > since_seq
            ],
        )
    if task.permissions_seq > since_seq:
        db.executemany(
            _PERMISSION,
            [
                (task_id, db.dialect.stored_key(p.request_id), p.seq, int(p.state == "open"), p.changed_seq, to_json(p))
                for p in state.permissions.values()
                if p.changed_seq > since_seq
            ],
        )
    if task.messages_seq > since_seq:
        db.executemany(
            _MESSAGE,
            [
                (task_id, m.seq, int(m.taken_seq is None), m.changed_seq, to_json(m))
                for m in state.messages.values()
                if m.changed_seq > since_seq
            ],
        )


def listed_columns(task: Task) -> tuple[str, str | None, str, str | None, str | None]:
    """Return the values by which the list of tasks filters and sorts. `save_listed` writes them when they change."""
    return task.status, task.ended_at, task.updated_at[:19], task.title, task.kind


def save_listed(db: Database, task: Task) -> None:
    """Write the columns by which the task list filters and sorts. Most events change none of them."""
    duration = None
    if task.started_at and task.ended_at:
        # Round to microseconds: SQLite writes a number into a cursor with 15 digits.
        with suppress(ValueError):
            duration = max(0.0, round(epoch_seconds(task.ended_at) - epoch_seconds(task.started_at), 6))
    sql = "UPDATE tasks SET status = ?, duration = ?, active_at = ?, title = ?, kind = ? WHERE task_id = ?"
    db.execute(sql, (task.status, duration, task.updated_at[:19], task.title, task.kind, task.task_id))

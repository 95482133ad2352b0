"""Storage of the diagnosis of a failed run: its fingerprint, and the seqs of the lines that say why it failed.

The append that ends a run stores both. For a run that ended before this version, the server stores them later.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from signalbox.store.diagnosis.cause import (
    DIAGNOSED,
    MAX_CLOSED_SPANS,
    MAX_FAILURES,
    TAIL_ROWS,
    Cause,
    cause_of,
    failing_span,
)
from signalbox.store.events import HEARTBEAT, Event
from signalbox.store.sql import heartbeats
from signalbox.store.sql.database import Database
from signalbox.store.sql.rows import COLUMNS, events_of, readable
from signalbox.store.sql.searching import index as search_index
from signalbox.store.state import Span, Task

FAILURES = f"task_id = ? AND seq > ? AND failure AND event_type <> '{HEARTBEAT}' ORDER BY seq LIMIT ?"
"""Finds the first failures after a seq, by their index."""

LAST_FAILURE = f"task_id = ? AND seq < ? AND failure AND event_type <> '{HEARTBEAT}' ORDER BY seq DESC LIMIT 1"

# With `=` and without `+` SQLite would read all spans of the task in the order of their start.
CLOSED_AT = "task_id = ? AND ended_seq BETWEEN ? AND ? ORDER BY +started_seq DESC, span_id DESC LIMIT ?"
"""Finds the newest spans that the event with this seq closed. The seq is given twice."""

UNDIAGNOSED = (
    "SELECT task_id FROM tasks WHERE fingerprint IS NULL AND status IN ('failed', 'interrupted')"
    " ORDER BY created_at DESC, task_id DESC LIMIT ?"
)
"""The condition is that of the index `tasks_undiagnosed`."""


def update(db: Database, task: Task, *, was_ended: bool = False) -> None:
    """Store the diagnosis of a task whose run has failed. If it `was_ended`, remove the diagnosis of that end."""
    if task.status in DIAGNOSED:
        cause = _cause(db, task)
        _save(db, task.task_id, cause.fingerprint(task.kind), cause.evidence.seqs)
    elif was_ended:
        _save(db, task.task_id, None, [])


def _save(db: Database, task_id: str, fingerprint: str | None, seqs: Sequence[int]) -> None:
    lines = msgspec.json.encode(seqs).decode() if seqs else None
    db.execute("UPDATE tasks SET fingerprint = ?, failure_lines = ? WHERE task_id = ?", (fingerprint, lines, task_id))
    if seqs:
        search_index.changed(db, task_id, seqs)  # these lines count as failures now


def _cause(db: Database, task: Task) -> Cause:
    task_id, end = task.task_id, task.ended_seq
    failures = [event for event in _events(db, FAILURES, task_id, 0, MAX_FAILURES) if event.seq <= end]
    spans: dict[str, Span] = {}
    for span_id in {event.span_id for event in failures}:
        spans.update((span.span_id, span) for span in _spans(db, "task_id = ? AND span_id = ?", task_id, span_id))
    closed = _spans(db, CLOSED_AT, task_id, end, end, MAX_CLOSED_SPANS)
    rows = _rows_before(db, task_id, end + 1)
    known = {event.seq: event for event in rows}
    spawn = known.get(task.spawn_seq)
    if spawn is None and task.spawn_seq:
        spawn = next(iter(_events(db, "task_id = ? AND seq = ?", task_id, task.spawn_seq)), None)
    return cause_of(
        task, failing=failing_span(task, failures, spans, closed), end=known.get(end), spawn=spawn, rows=rows
    )


def _rows_before(db: Database, task_id: str, before: int) -> list[Event]:
    """Return the newest rows of the log below a seq, in the order of the log."""
    streaks = db.execute(heartbeats.BEFORE, (task_id, before, 0, TAIL_ROWS + 1)).fetchall()
    ranges = heartbeats.row_ranges_before(before, 0, streaks, TAIL_ROWS)
    where = "task_id = ? AND seq BETWEEN ? AND ? ORDER BY seq"
    return [event for first, last in reversed(ranges) for event in _events(db, where, task_id, first, last)]


def _events(db: Database, where: str, *values: object) -> list[Event]:
    return events_of(db.execute(f"SELECT {COLUMNS} FROM task_events WHERE {where}", values).fetchall())


def _spans(db: Database, where: str, *values: object) -> list[Span]:
    sql = f"SELECT {db.dialect.stored('state')} FROM task_spans WHERE {where}"
    return readable(Span, db.execute(sql, values).fetchall())

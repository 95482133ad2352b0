"""Loading the ancestors of spans, for an append that adds their usage to the spans above them."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from signalbox.store.projections import usage
from signalbox.store.sql.database import Database
from signalbox.store.sql.rows import readable
from signalbox.store.state import Span, TaskState

LEVELS_PER_READ = 20
"""Levels that one query reads. Of many spans of one deep chain it reads the same ancestors at several levels."""

_ABOVE = """
WITH RECURSIVE above (span_id, parent_span_id, level) AS (
  SELECT span_id, parent_span_id, 1 FROM task_spans WHERE task_id = ? AND {is_named}
  UNION
  SELECT s.span_id, s.parent_span_id, above.level + 1 FROM above
    JOIN task_spans s ON s.task_id = ? AND s.span_id = above.parent_span_id
    WHERE above.level < ?
)
SELECT {state} FROM task_spans WHERE task_id = ? AND span_id IN (SELECT span_id FROM above)
"""


def load(db: Database, state: TaskState, span_ids: Collection[str], parents: Mapping[str, str]) -> None:
    """Add the ancestors of these spans to `state`, up to `usage.MAX_LEVELS` above each.

    `parents` has the parents that the appended events give to spans. A span that had none begins to add its usage to
    the spans above it, so as many levels above it are needed.
    """
    spans, absent = state.spans, set[str]()
    levels = dict.fromkeys(span_ids, usage.MAX_LEVELS)
    waiting = set(span_ids)
    while waiting:
        above: set[str] = set()
        for span_id in waiting:
            span, left = spans.get(span_id), levels[span_id]
            parent = span.parent_span_id if span else None
            if not parent:
                parent, left = parents.get(span_id), usage.MAX_LEVELS
            if parent and left - 1 > levels.get(parent, -1):
                levels[parent] = left - 1
                above.add(parent)
        waiting = above
        missing = above - spans.keys() - absent
        if missing:
            found = _read(db, state, missing)
            absent |= missing - found.keys()
            spans |= found


def _read(db: Database, state: TaskState, span_ids: Collection[str]) -> dict[str, Span]:
    """Read these spans and their ancestors, LEVELS_PER_READ levels in all."""
    task_id = state.task.task_id
    is_named, named = db.dialect.among("span_id", sorted(span_ids))
    sql = _ABOVE.format(state=db.dialect.stored("state"), is_named=is_named)
    rows = db.execute(sql, (task_id, *named, task_id, LEVELS_PER_READ, task_id)).fetchall()
    return {span.span_id: span for span in readable(Span, rows)}

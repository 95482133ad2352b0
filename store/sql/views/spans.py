"""Queries of the spans of a task."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import ClassVar

from signalbox.store.contract.reading.spans import MAX_ANCESTORS, MAX_COUNTED
from signalbox.store.span_pages import order_of_start
from signalbox.store.sql.diagnosing import CLOSED_AT
from signalbox.store.sql.views.base import UNLIMITED, Rows
from signalbox.store.state import Span

_WINDOW = """
WITH RECURSIVE chosen (span_id, parent_span_id) AS (
  SELECT * FROM (SELECT span_id, parent_span_id FROM task_spans
    WHERE task_id = ? AND open = 1 ORDER BY started_seq DESC, span_id DESC LIMIT ?) AS opened
  UNION
  SELECT * FROM (SELECT span_id, parent_span_id FROM task_spans
    WHERE task_id = ? AND ended_seq IS NOT NULL ORDER BY ended_seq DESC, span_id DESC LIMIT ?) AS ended
  UNION
  SELECT * FROM (SELECT span_id, parent_span_id FROM task_spans
    WHERE task_id = ? AND open = 0 AND ended_seq IS NULL ORDER BY started_seq, span_id LIMIT ?) AS marks
  UNION
  SELECT s.span_id, s.parent_span_id FROM chosen
    JOIN task_spans s ON s.task_id = ? AND s.span_id = chosen.parent_span_id
  {recursion_end}
)
SELECT s.state FROM {chosen_and_join} task_spans s ON s.task_id = ? AND s.span_id = chosen.span_id
ORDER BY s.started_seq, s.span_id
"""

_PARENTS = """
WITH RECURSIVE above (span_id, parent_span_id, level) AS (
  SELECT span_id, parent_span_id, 0 FROM task_spans WHERE task_id = ? AND {named}
  UNION
  SELECT s.span_id, s.parent_span_id, above.level + 1 FROM above
    JOIN task_spans s ON s.task_id = ? AND s.span_id = above.parent_span_id
    WHERE above.level < ?
)
{select}
"""
_IDS = "SELECT span_id, parent_span_id FROM above"
_STATES = "SELECT state FROM task_spans WHERE task_id = ? AND span_id IN (SELECT span_id FROM above)"

_CHILD_COUNTS = """
SELECT p.span_id, (SELECT count(*) FROM (
  SELECT 1 FROM task_spans AS c WHERE c.task_id = p.task_id AND c.parent_span_id = p.span_id LIMIT ?
) AS counted)
FROM task_spans AS p WHERE p.task_id = ?
"""


def window_sql(recursion_end: str, chosen_and_join: str) -> str:
    """Return the query of `span_window`. One of the two parts contains `LIMIT ?`."""
    return _WINDOW.format(recursion_end=recursion_end, chosen_and_join=chosen_and_join)


_IN_INDEX = "parent_span_id, started_seq, span_id"
"""The order of the index of children. Without it, SQLite would read all spans of the task."""


class SpanViews(Rows):
    """Implements `TaskSpanReading` and `SpanReading` of `store.contract`."""

    window: ClassVar[str]
    """The query of `span_window`: see `window_sql`."""

    async def spans(self, task_id: str, after: int = 0, limit: int | None = None) -> list[Span]:
        return await self._values(
            Span,
            "SELECT state FROM task_spans WHERE task_id = ? AND started_seq > ? ORDER BY started_seq, span_id LIMIT ?",
            task_id,
            after,
            UNLIMITED if limit is None else limit,
        )

    async def span(self, task_id: str, span_id: str) -> Span | None:
        found: list[Span] = await self._values(
            Span, "SELECT state FROM task_spans WHERE task_id = ? AND span_id = ?", task_id, span_id
        )
        return found[0] if found else None

    async def span_children(self, task_id: str, span_id: str, limit: int) -> list[Span]:
        return await self._values(
            Span,
            "SELECT state FROM task_spans WHERE task_id = ? AND parent_span_id = ?"
            " ORDER BY started_seq, span_id LIMIT ?",
            task_id,
            span_id,
            limit,
        )

    async def spans_closed_at(self, task_id: str, seq: int, limit: int) -> list[Span]:
        found = await self._values(Span, f"SELECT state FROM task_spans WHERE {CLOSED_AT}", task_id, seq, seq, limit)
        return found[::-1]

    async def child_counts(self, task_id: str, span_ids: Sequence[str]) -> dict[str, int]:
        is_named, values = self._only(span_ids, "p.span_id")
        rows = await self._rows(f"{_CHILD_COUNTS} AND {is_named}", MAX_COUNTED, task_id, *values)
        return {span_id: count for span_id, count in rows if count}

    async def spans_changed(self, task_id: str, since_seq: int, limit: int) -> list[Span]:
        return await self._values(
            Span,
            "SELECT state FROM task_spans WHERE task_id = ? AND changed_seq > ? ORDER BY changed_seq, span_id LIMIT ?",
            task_id,
            since_seq,
            limit,
        )

    async def span_window(self, task_id: str, open_limit: int, ended_limit: int) -> list[Span]:
        return await self._values(
            Span,
            self.window,
            *(task_id, open_limit, task_id, ended_limit, task_id, ended_limit, task_id),
            open_limit + 2 * ended_limit + MAX_ANCESTORS,
            task_id,
        )

    async def span_parents(self, task_id: str, span_ids: Collection[str], levels: int) -> dict[str, str | None]:
        named, values = self.dialect.among("span_id", list(span_ids))
        sql = _PARENTS.format(named=named, select=_IDS)
        return dict(await self._rows(sql, task_id, *values, task_id, levels))

    async def spans_with_ancestors(self, task_id: str, span_ids: Collection[str], levels: int) -> list[Span]:
        named, values = self.dialect.among("span_id", list(span_ids))
        sql = _PARENTS.format(named=named, select=_STATES)
        found: list[Span] = await self._values(Span, sql, task_id, *values, task_id, levels, task_id)
        return sorted(found, key=order_of_start)

    async def span_descendants(self, task_id: str, span_id: str, levels: int, limit: int) -> list[Span]:
        found: dict[str, Span] = {}
        above = [span_id]
        for _ in range(levels):
            is_parent, values = self.dialect.among("parent_span_id", above)
            sql = f"SELECT state FROM task_spans WHERE task_id = ? AND {is_parent} ORDER BY {_IN_INDEX} LIMIT ?"
            # Of a circle of spans, those that are already found come again.
            room = limit + len(above) - len(found)
            below: list[Span] = await self._values(Span, sql, task_id, *values, room)
            new = {span.span_id: span for span in below if span.span_id != span_id and span.span_id not in found}
            found |= new
            above = list(new)
            if not above or len(found) >= limit:
                break
        return sorted(found.values(), key=order_of_start)[:limit]

    async def open_spans(self, task_id: str, limit: int = 1000) -> list[Span]:
        return await self._values(
            Span,
            "SELECT state FROM task_spans WHERE task_id = ? AND open = 1 ORDER BY started_seq, span_id LIMIT ?",
            task_id,
            limit,
        )

"""Queries of the spans of a task."""

from __future__ import annotations

from signalbox.store.sqlite.views.base import Rows
from signalbox.store.state import Span

ANCESTORS = 200
"""A window contains at most this many spans only because they are ancestors of other spans in it."""


class SpanViews(Rows):
    """Implements `TaskSpanReading` and `SpanReading` of `store.contract`."""

    async def spans(self, task_id: str, after: int = 0, limit: int | None = None) -> list[Span]:
        return await self._values(
            Span,
            "SELECT state FROM task_spans WHERE task_id = ? AND started_seq > ? ORDER BY started_seq LIMIT ?",
            task_id,
            after,
            -1 if limit is None else limit,
        )

    async def span(self, task_id: str, span_id: str) -> Span | None:
        found: list[Span] = await self._values(
            Span, "SELECT state FROM task_spans WHERE task_id = ? AND span_id = ?", task_id, span_id
        )
        return found[0] if found else None

    async def span_children(self, task_id: str, span_id: str, limit: int) -> list[Span]:
        return await self._values(
            Span,
            "SELECT state FROM task_spans WHERE task_id = ? AND parent_span_id = ? ORDER BY started_seq LIMIT ?",
            task_id,
            span_id,
            limit,
        )

    async def spans_changed(self, task_id: str, since_seq: int, limit: int) -> list[Span]:
        return await self._values(
            Span,
            "SELECT state FROM task_spans WHERE task_id = ? AND changed_seq > ? ORDER BY started_seq LIMIT ?",
            task_id,
            since_seq,
            limit,
        )

    async def span_window(self, task_id: str, open_limit: int, ended_limit: int) -> list[Span]:
        return await self._values(
            Span,
            """
            WITH RECURSIVE chosen (span_id, parent_span_id) AS (
              SELECT * FROM (SELECT span_id, parent_span_id FROM task_spans
                WHERE task_id = ?1 AND open = 1 ORDER BY started_seq DESC LIMIT ?2)
              UNION
              SELECT * FROM (SELECT span_id, parent_span_id FROM task_spans
                WHERE task_id = ?1 AND ended_seq IS NOT NULL ORDER BY ended_seq DESC, span_id DESC LIMIT ?3)
              UNION
              SELECT * FROM (SELECT span_id, parent_span_id FROM task_spans
                WHERE task_id = ?1 AND open = 0 AND ended_seq IS NULL ORDER BY started_seq LIMIT ?3)
              UNION
              SELECT s.span_id, s.parent_span_id FROM chosen
                JOIN task_spans s ON s.task_id = ?1 AND s.span_id = chosen.parent_span_id
              LIMIT ?4
            )
            -- CROSS JOIN makes SQLite look up each of the few chosen spans by its key, and not scan all spans.
            SELECT s.state FROM chosen CROSS JOIN task_spans s ON s.task_id = ?1 AND s.span_id = chosen.span_id
            ORDER BY s.started_seq
            """,
            task_id,
            open_limit,
            ended_limit,
            open_limit + 2 * ended_limit + ANCESTORS,
        )

    async def open_spans(self, task_id: str, limit: int = 1000) -> list[Span]:
        return await self._values(
            Span,
            "SELECT state FROM task_spans WHERE task_id = ? AND open = 1 ORDER BY started_seq LIMIT ?",
            task_id,
            limit,
        )

"""The spans of a task as a table: filtered, sorted, and page by page."""

from __future__ import annotations

from dataclasses import dataclass

from signalbox.store import TaskReading
from signalbox.store.state import Task
from signalbox.webapp.views.span_query import TableQuery, kinds_in, states_in, window_of
from signalbox.webapp.views.span_times import SpanForest, TimedSpan, span_forest

SPANS_PAGE = 200
"""Rows of one page of the table."""


@dataclass(frozen=True, kw_only=True)
class SpansView:
    """One page of the table: `rows` of the `total` spans that the filters keep, from the row `first` on.

    `longest` is the longest of the values by which the table is sorted, for the bars beside the values.
    """

    task: Task
    forest: SpanForest
    query: TableQuery
    rows: list[TimedSpan]
    total: int
    first: int
    kinds: list[str]
    states: list[str]
    longest: float

    @property
    def next(self) -> int | None:
        """The first row of the next page, if there is one."""
        after = self.first + len(self.rows)
        return after if after < self.total else None

    @property
    def previous(self) -> int | None:
        """The first row of the page before this one, if there is one."""
        return max(0, self.first - SPANS_PAGE) if self.first else None

    @property
    def parent(self) -> TimedSpan | None:
        """The span whose children are listed, if the table has the children of one span."""
        return self.forest.by_id.get(self.query.parent)

    def share(self, timed: TimedSpan) -> float:
        """Return the self time in per cent of the longest one, or the duration if the table is sorted by it."""
        value = timed.duration if self.query.sort == "duration" else timed.own
        return round(100 * value / self.longest, 1) if self.longest else 0.0


async def spans_view(view: TaskReading, task_id: str, query: TableQuery | None = None) -> SpansView:
    """Read one page of the table. Raises UnknownTask."""
    query = query or TableQuery()
    task = await view.task(task_id)
    forest = await span_forest(view, task, after=query.after)
    chosen = query.chosen(forest)
    first = window_of(len(chosen), query.row, SPANS_PAGE)
    by_duration = query.sort == "duration"
    return SpansView(
        task=task,
        forest=forest,
        query=query,
        rows=chosen[first : first + SPANS_PAGE],
        total=len(chosen),
        first=first,
        kinds=kinds_in(forest, query.kind),
        states=states_in(forest, query.state),
        longest=max((timed.duration if by_duration else timed.own for timed in chosen), default=0.0),
    )

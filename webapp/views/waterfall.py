"""The waterfall: the spans of a run as bars on a time axis."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from operator import attrgetter
from typing import NamedTuple

from signalbox.store import TaskReading
from signalbox.store.state import Checkpoint, Task
from signalbox.webapp.views.critical_path import critical_path_of
from signalbox.webapp.views.span_groups import SpanGroup
from signalbox.webapp.views.span_query import DIGITS, kinds_in, states_in, window_of
from signalbox.webapp.views.span_times import Interval, SpanForest, span_forest
from signalbox.webapp.views.text import seconds
from signalbox.webapp.views.time_axis import Axis, axis
from signalbox.webapp.views.waterfall_query import WaterfallQuery
from signalbox.webapp.views.waterfall_rows import WaterfallRow, context_of, rows_of

PAGE = 250
"""Rows of one page."""

CHECKPOINTS = 30
MAX_CONTEXT = 20
PIXEL = 0.1
"""Per cent of the axis that take about a pixel."""

FEW_PARTS = 3
ROUNDING_S = 1e-6
"""Timestamps have microseconds. Sums of seconds may differ by less."""

GROUP_RESOLUTION = 1000
"""The width of the picture of a group, in units."""


class AxisPart(NamedTuple):
    """A part of the axis, in per cent of it."""

    left: float
    width: float


class Bar(NamedTuple):
    """A row with its bar. `critical` are the parts of the bar on the critical path.

    `path` is the picture of a group: an SVG path, GROUP_RESOLUTION units wide and 10 high.
    """

    row: WaterfallRow
    part: AxisPart
    critical: list[AxisPart]
    path: str = ""


class Stop(NamedTuple):
    """The mark of a checkpoint: `left` in per cent, `since` in seconds from the start of the run."""

    checkpoint: Checkpoint
    since: float
    left: float


@dataclass(frozen=True, kw_only=True)
class WaterfallView:
    """One page of the waterfall and the newest checkpoints, as of the seq `task.latest_seq`.

    The page has the rows from `first` on, of `total`, below the rows of their ancestors (`context`).
    `critical_spans` is the number of spans on the critical path.
    """

    task: Task
    forest: SpanForest
    query: WaterfallQuery
    kinds: list[str]
    states: list[str]
    context: list[Bar]
    bars: list[Bar]
    stops: list[Stop]
    axis: Axis
    now: float | None
    first: int
    total: int
    critical_spans: int

    @property
    def idle(self) -> float:
        """The seconds in folded gaps."""
        return sum(fold.end - fold.start for fold in self.axis.folds)

    @property
    def next(self) -> int | None:
        """The first row of the next page, if there is one."""
        after = self.first + len(self.bars)
        return after if after < self.total else None

    @property
    def previous(self) -> int | None:
        """The first row of the page before this one, if there is one."""
        return max(0, self.first - PAGE) if self.first else None

    def zoomed(self, start: float, end: float) -> str:
        """Return the query string of this page with the axis from `start` to `end`, within the run.

        If nothing of the run is there, the axis has the whole run.
        """
        start, end = max(0.0, start), min(end, self.forest.length)
        whole = (start <= 0 and end >= self.forest.length) or round(start, DIGITS) >= round(end, DIGITS)
        return self.query.address(since=None if whole else start, until=None if whole else end)

    @property
    def steps(self) -> list[tuple[str, str, str]]:
        """The links that move the axis: for each its label, its query string and its key."""
        start, end, half = self.axis.start, self.axis.end, self.axis.length / 2
        found = [("Zoom out", self.zoomed(start - half, end + half), "-")]
        if start > 0:
            found.append(("Earlier", self.zoomed(max(0, start - half), max(0, start - half) + 2 * half), ","))
        if end < self.forest.length:
            found.append(("Later", self.zoomed(start + half, end + half), "."))
        return [*found, ("Whole run", self.query.address(since=None, until=None), "0")]


async def waterfall_view(view: TaskReading, task_id: str, query: WaterfallQuery | None = None) -> WaterfallView:
    """Read one page of the waterfall. Raises UnknownTask."""
    query = query or WaterfallQuery()
    task = await view.task(task_id)
    forest = await span_forest(view, task, after=query.after)
    critical = critical_path_of(forest) if query.critical != "off" else {}
    rows = rows_of(forest, query, critical)
    first = window_of(len(rows), query.row, PAGE)
    drawn = axis_of(forest, query)
    checkpoints = await view.checkpoints(task_id, CHECKPOINTS)
    stops = [stop(one, forest.begin, drawn) for one in checkpoints if one.created_at >= forest.begin]
    running = not task.ended and task.spans_open > 0
    newest = seconds(forest.begin, task.updated_at)
    is_now_shown = drawn.start <= newest <= drawn.end + ROUNDING_S
    return WaterfallView(
        task=task,
        forest=forest,
        query=query,
        kinds=kinds_in(forest, query.kind),
        states=states_in(forest, query.state),
        context=[bar(row, drawn, critical) for row in context_of(rows, first, MAX_CONTEXT)],
        bars=[bar(row, drawn, critical) for row in rows[first : first + PAGE]],
        stops=[one for one in stops if drawn.start <= one.since <= drawn.end],
        axis=drawn,
        now=drawn.left(newest) if running and is_now_shown else None,
        first=first,
        total=len(rows),
        critical_spans=len(critical),
    )


def axis_of(forest: SpanForest, query: WaterfallQuery) -> Axis:
    """Return the axis of the run, or of the part to which the query is zoomed."""
    start = min(query.since or 0.0, forest.length)
    end = forest.length if query.until is None else min(query.until, forest.length)
    # A parent only groups its children, so the spans without children are those that work.
    busy = ((timed.start, timed.end) for timed in forest.all if not timed.children)
    return axis(max(0.0, end - start), busy, fold=query.gaps != "open", start=start)


def bar(row: WaterfallRow, drawn: Axis, critical: dict[str, list[Interval]]) -> Bar:
    """Return the bar of one row."""
    if row.group is None:
        assert row.span is not None
        intervals = critical.get(row.span.span.span_id, [])
        return Bar(row, part_of(row.span.start, row.span.end, drawn), parts_of(intervals, drawn))
    members = row.group.members
    whole = part_of(members[0].start, max(member.end for member in members), drawn)
    intervals = [interval for member in members for interval in critical.get(member.span.span_id, [])]
    return Bar(row, whole, parts_of(intervals, drawn), group_path(row.group, drawn))


def part_of(start: float, end: float, drawn: Axis) -> AxisPart:
    """Return the part of the axis from one second to another."""
    left = drawn.left(start)
    return AxisPart(round(left, 3), round(max(0.0, drawn.left(end) - left), 3))


def parts_of(intervals: Iterable[Interval], drawn: Axis) -> list[AxisPart]:
    """Return the parts of the axis that the intervals cover on the axis. Intervales that nearly touch become one part.

    Of many parts, those narrower than a pixel are left out.
    """
    found = [part_of(interval.start, interval.end, drawn) for interval in _merged(intervals, drawn)]
    return found if len(found) <= FEW_PARTS else [part for part in found if part.width >= PIXEL]


def _merged(intervals: Iterable[Interval], drawn: Axis) -> list[Interval]:
    """Return the intervals on the axis in their order. Intervals less than a pixel apart are one."""
    near = drawn.drawn * PIXEL / 100
    found: list[Interval] = []
    # Most intervals extend the one before, so it is kept in variables.
    start = end = float("-inf")
    for since, until in sorted(intervals):
        if until < drawn.start or since > drawn.end:
            continue
        if since - end > near:
            if end > float("-inf"):
                found.append(Interval(start, end))
            start, end = since, until
        elif until > end:
            end = until
    return [*found, Interval(start, end)] if end > float("-inf") else found


def group_path(group: SpanGroup, drawn: Axis) -> str:
    """Return an SVG path with a bar wherever a member of the group was running, at least one unit wide."""
    units: list[tuple[int, int]] = []
    # Members within the last unit change nothing, and need no position.
    until = float("-inf")
    for member in sorted(group.members, key=attrgetter("start")):
        if member.end <= until or member.end < drawn.start or member.start > drawn.end:
            continue
        start = int(drawn.left(member.start) * GROUP_RESOLUTION / 100)
        end = max(start + 1, int(drawn.left(member.end) * GROUP_RESOLUTION / 100))
        if units and start <= units[-1][1]:
            units[-1] = (units[-1][0], max(end, units[-1][1]))
        else:
            units.append((start, end))
        until = drawn.second(units[-1][1] * 100 / GROUP_RESOLUTION)
    return "".join(f"M{start} 0h{end - start}v10h{start - end}z" for start, end in units)


def stop(checkpoint: Checkpoint, begin: str, drawn: Axis) -> Stop:
    """Return the mark of one checkpoint."""
    since = seconds(begin, checkpoint.created_at)
    return Stop(checkpoint, since, round(drawn.left(since), 3))

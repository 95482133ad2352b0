"""The waterfall: the spans of a run as bars on a time axis."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from signalbox.store import TaskReading
from signalbox.store.state import Checkpoint, Span, Task
from signalbox.webapp.views.span_tree import SpanLine, lines
from signalbox.webapp.views.text import seconds
from signalbox.webapp.views.time_axis import Axis, axis

PAGE = 1000
CHECKPOINTS = 30


class Bar(NamedTuple):
    """The bar of a span: `left` and `width` in per cent, `since` in seconds from the left end of the axis."""

    span: Span
    depth: int
    since: float
    left: float
    width: float


class Stop(NamedTuple):
    """The mark of a checkpoint: `left` in per cent, `since` in seconds from the left end of the axis."""

    checkpoint: Checkpoint
    since: float
    left: float


@dataclass(frozen=True, kw_only=True)
class WaterfallView:
    """One page of a task's spans as bars, and its newest checkpoints, as of the seq `task.latest_seq`."""

    task: Task
    bars: list[Bar]
    stops: list[Stop]
    axis: Axis
    folded: bool
    begin: str
    now: float | None
    after: int
    next: int | None

    @property
    def idle(self) -> float:
        """The seconds in folded gaps."""
        return sum(fold.end - fold.start for fold in self.axis.folds)

    def address(self, *, folded: bool | None = None, after: int | None = None) -> str:
        """Return the query string of this page with some parameters changed."""
        unfolded = not (self.folded if folded is None else folded)
        cursor = self.after if after is None else after
        fields = [*(["gaps=open"] if unfolded else []), *([f"after={cursor}"] if cursor else [])]
        return "?" + "&".join(fields) if fields else ""


async def waterfall_view(view: TaskReading, task_id: str, *, after: int = 0, folded: bool = True) -> WaterfallView:
    """Read the spans that began after the seq `after`, at most PAGE. Raises UnknownTask."""
    task = await view.task(task_id)
    spans = await view.spans(task_id, after, PAGE + 1)
    shown = spans[:PAGE]
    begin = min((span.started_at for span in shown), default=task.created_at)
    ended = max((end_of(task, span) for span in shown), default=begin)
    drawn = axis(seconds(begin, ended), busy(task, shown, begin), fold=folded)
    committed = [one for one in await view.checkpoints(task_id, CHECKPOINTS) if begin <= one.created_at <= ended]
    running = not task.ended and any(span.state == "open" for span in shown)
    return WaterfallView(
        task=task,
        bars=[bar(task, line, begin, drawn) for line in lines(shown, open_first=False)],
        stops=[stop(one, begin, drawn) for one in committed],
        axis=drawn,
        folded=folded,
        begin=begin,
        now=drawn.left(seconds(begin, task.updated_at)) if running else None,
        after=after,
        next=shown[-1].started_seq if len(spans) > PAGE else None,
    )


def end_of(task: Task, span: Span) -> str:
    """Return the end of a span, never before its start; the time of the newest event if it is open."""
    if span.state == "mark":
        return span.started_at
    return max(span.ended_at or task.updated_at, span.started_at)


def busy(task: Task, spans: Sequence[Span], begin: str) -> list[tuple[float, float]]:
    """Return the times of work: those of spans without children, because a parent only groups its children."""
    parents = {span.parent_span_id for span in spans}
    worked = (span for span in spans if span.span_id not in parents)
    return [(seconds(begin, span.started_at), seconds(begin, end_of(task, span))) for span in worked]


def bar(task: Task, line: SpanLine, begin: str, drawn: Axis) -> Bar:
    """Return the bar of one span."""
    span, depth = line
    since = seconds(begin, span.started_at)
    left = drawn.left(since)
    width = max(0.0, drawn.left(seconds(begin, end_of(task, span))) - left)
    return Bar(span, depth, since, round(left, 3), round(width, 3))


def stop(checkpoint: Checkpoint, begin: str, drawn: Axis) -> Stop:
    """Return the mark of one checkpoint."""
    since = seconds(begin, checkpoint.created_at)
    return Stop(checkpoint, since, round(drawn.left(since), 3))

"""The critical path of a run: the chain of spans that determined when it ended.

From the end backwards: the child that ended last, before its start the child that ended last before that, and so on,
each with its own children. Where no child ran, the parent itself is on the path.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from operator import attrgetter

from signalbox.webapp.views.span_times import Interval, SpanForest, TimedSpan

TOLERANCE_S = 0.0005
"""A child that ended this much after the start of the next one still counts as its predecessor: clocks differ."""


def critical_path_of(forest: SpanForest) -> dict[str, list[Interval]]:
    """Return the critical path of a forest, which is computed once."""
    if forest.critical is None:
        forest.critical = critical_path(forest.roots)
    return forest.critical


def critical_path(roots: Sequence[TimedSpan]) -> dict[str, list[Interval]]:
    """Return the intervals of each span on the critical path, by span id, the latest first."""
    found: dict[str, list[Interval]] = {}
    if not roots:
        return found
    waiting: list[tuple[TimedSpan, float]] = list(_predecessors(roots, max(root.end for root in roots)))
    while waiting:
        timed, until = waiting.pop()
        intervals = found.setdefault(timed.span.span_id, [])
        at = until
        for child, end in _predecessors(timed.children, until):
            if at > end:
                intervals.append(Interval(end, at))
            if child.children:
                waiting.append((child, end))
            else:
                found.setdefault(child.span.span_id, []).append(Interval(child.start, end))
            at = child.start
        if at > timed.start:
            intervals.append(Interval(timed.start, at))
    return found


def _predecessors(spans: Iterable[TimedSpan], until: float) -> Iterable[tuple[TimedSpan, float]]:
    """Yield the spans that ran one after the other before `until`, the last first, each with its end."""
    at = until
    for timed in sorted(spans, key=attrgetter("end"), reverse=True):
        if timed.end <= at + TOLERANCE_S and timed.start < at and timed.end > timed.start:
            yield timed, min(timed.end, at)
            at = timed.start

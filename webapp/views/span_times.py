"""The span tree with times: when each span started, how long it took, and its self time.

All times are in seconds from the start of the first span. The self time of a span is its duration without the union of
the times of its children.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from operator import attrgetter, itemgetter
from typing import NamedTuple

from signalbox.store import TaskReading
from signalbox.store.span_pages import SpanPage, order_of_start, span_page
from signalbox.store.state import Span, Task
from signalbox.webapp.views.text import seconds

SPAN_STATES = ("open", "done", "failed", "cancelled", "interrupted", "mark")
MAX_SPANS = 20_000
"""How many spans one page reads. A task with more has several pages."""

MAX_TEXT_CHARS = 16_000_000
"""Characters of the names and messages of the spans of one page. Spans with very long ones make a page shorter."""

READ_AT_ONCE = 1000

MAX_CHANGED = 1000
"""A forest that was read before is brought up to date if at most this many of the task's spans have changed."""

MAX_KEPT = 16
"""How many forests are kept in memory, with at most MAX_SPANS spans in all."""


class TimedSpan:
    """A span with its times, its children in the order of their start, and its parent if that is known.

    `end` of an open span is the time of the task's newest event.
    """

    __slots__ = ("children", "end", "own", "parent", "span", "start")

    def __init__(self, span: Span, start: float, end: float) -> None:
        self.span = span
        self.start = start
        self.end = end
        self.own = end - start
        self.parent: TimedSpan | None = None
        self.children: Sequence[TimedSpan] = ()

    @property
    def duration(self) -> float:
        """The seconds from start to end."""
        return self.end - self.start

    def subtree(self) -> Iterator[TimedSpan]:
        """Iterate over the span and all spans below it, in pre-order."""
        waiting = [self]
        while waiting:
            timed = waiting.pop()
            yield timed
            waiting.extend(reversed(timed.children))


class Interval(NamedTuple):
    """A part of a span's time, in seconds from the start of the first span."""

    start: float
    end: float


class SpanForest:
    """The spans of a task as trees. `begin` is the timestamp of second 0, `length` the time to the last end.

    `spans` are in the order of their `started_seq`. If `has_open`, the end of some is the time of the newest event.
    `after` and `next` are the cursors of this and of the next page, for a task with more than MAX_SPANS spans.
    """

    def __init__(self, task: Task, spans: Sequence[Span], *, after: int = 0, next: int | None = None) -> None:
        self.after, self.next, self.spans = after, next, spans
        self.has_open = any(span.ended_at is None and span.state != "mark" for span in spans)
        self.begin = min((span.started_at for span in spans), default=task.created_at)
        clock = _Clock(self.begin)
        newest = clock.second(task.updated_at)
        # Spans of a trace may be reported in any order.
        self.all = sorted([_timed(span, clock, newest) for span in spans], key=attrgetter("start", "span.started_seq"))
        self.by_id = {timed.span.span_id: timed for timed in self.all}
        self.length = max((timed.end for timed in self.all), default=0.0)
        self.roots = self._link()
        self.critical: dict[str, list[Interval]] | None = None
        for timed in self.all:
            if timed.children:
                timed.own = max(0.0, timed.duration - covered(timed.children, timed.start, timed.end))

    def _link(self) -> list[TimedSpan]:
        """Connect parents and children, and return the roots. Of spans in a parent cycle, the first becomes a root."""
        roots: list[TimedSpan] = []
        below: dict[str, list[TimedSpan]] = {}
        may_have_cycles = False
        for timed in self.all:
            parent = self.by_id.get(timed.span.parent_span_id or "")
            if parent is None:
                roots.append(timed)
                continue
            timed.parent = parent
            below.setdefault(parent.span.span_id, []).append(timed)
            may_have_cycles = may_have_cycles or parent.span.started_seq >= timed.span.started_seq
        for span_id, children in below.items():
            self.by_id[span_id].children = children
        return [*roots, *self._break_cycles(roots)] if may_have_cycles else roots

    def _break_cycles(self, roots: Sequence[TimedSpan]) -> Iterator[TimedSpan]:
        reached = {below.span.span_id for root in roots for below in root.subtree()}
        for timed in self.all:
            if timed.span.span_id not in reached and timed.parent is not None:
                timed.parent.children = [child for child in timed.parent.children if child is not timed]
                timed.parent = None
                reached.update(below.span.span_id for below in timed.subtree())
                yield timed


def covered(spans: Iterable[TimedSpan], start: float, end: float) -> float:
    """Return the seconds between `start` and `end` in which at least one of the spans was running."""
    total, until = 0.0, start
    for span in sorted(spans, key=attrgetter("start")):
        if span.end > until:
            since, until = max(span.start, until), min(span.end, end)
            total += max(0.0, until - since)
    return total


async def span_forest(view: TaskReading, task: Task, *, after: int = 0) -> SpanForest:
    """Read the spans of a task that started after the seq `after`, at most MAX_SPANS."""
    # If `forget` replaces it meanwhile, a forest that was read before lands in the discarded one.
    recent = _recent
    key = (task.identity, task.latest_seq, task.updated_at, after)
    forest = recent.get(key) if task.identity else None
    if forest is None:
        forest = await _brought_up_to_date(view, task, after, recent) if task.identity else None
        if forest is None:
            page = await _page(view, task.task_id, after)
            forest = SpanForest(task, page.spans, after=after, next=page.next)
        _keep(recent, key, forest)
    return forest


async def _page(view: TaskReading, task_id: str, after: int) -> SpanPage:
    """Return the first spans that began after a seq, at most MAX_SPANS with at most about MAX_TEXT_CHARS."""
    spans: list[Span] = []
    chars = 0
    next: int | None = after
    # An event can begin two spans, which are on the same page.
    while next is not None and chars < MAX_TEXT_CHARS and len(spans) < MAX_SPANS - 1:
        page = await span_page(view, task_id, next, min(READ_AT_ONCE, MAX_SPANS - len(spans)))
        spans, chars, next = [*spans, *page.spans], chars + _text_chars(page.spans), page.next
    return SpanPage(spans, next)


def _text_chars(spans: Iterable[Span]) -> int:
    texts = ((span.name, span.message, span.error, span.work_item_id, span.work_type) for span in spans)
    return sum(len(text) for of_span in texts for text in of_span if text)


def forget() -> None:
    """Drop the forests in memory, because events were erased: a log has the same seqs and times as before."""
    global _recent
    _recent = {}


_Recent = dict[tuple[str, int, str, int], SpanForest]


async def _brought_up_to_date(view: TaskReading, task: Task, after: int, recent: _Recent) -> SpanForest | None:
    """Return the forest of an earlier seq with the spans that changed since then.

    Returns None if there is none, if too many spans changed, or if the page would get other spans.
    """
    earlier = [key for key in recent if key[0] == task.identity and key[1] < task.latest_seq and key[3] == after]
    if not earlier:
        return None
    key = max(earlier, key=itemgetter(1))
    forest = recent[key]
    # After a backup was restored, the log may have other events than those of the forest.
    last = await view.brief().events_at(task.task_id, [key[1]])
    changed = await view.spans_changed(task.task_id, key[1], MAX_CHANGED + 1)
    if len(changed) > MAX_CHANGED or [event.created_at for event in last] != [key[2]]:
        return None
    end = forest.next
    added = [span for span in changed if span.started_seq > after and (end is None or span.started_seq <= end)]
    names = {span.span_id for span in changed}
    kept = [span for span in forest.spans if span.span_id not in names]
    if len(kept) + len(added) > MAX_SPANS or (end is not None and len(kept) + len(added) != len(forest.spans)):
        return None
    # The next page of this task will be read from the newer forest.
    recent.pop(key, None)
    if not added and len(kept) == len(forest.spans) and not forest.has_open:
        return forest
    spans = sorted([*kept, *added], key=order_of_start)
    if end is None and _text_chars(spans) > MAX_TEXT_CHARS:
        return None
    return SpanForest(task, spans, after=after, next=end)


_recent: _Recent = {}
"""The forests of the pages that were read last. Each click on such a page shows the same spans in another way."""


def _keep(recent: _Recent, key: tuple[str, int, str, int], forest: SpanForest) -> None:
    recent[key] = forest
    while len(recent) > 1 and sum(len(one.all) for one in recent.values()) > MAX_SPANS:
        del recent[next(iter(recent))]
    while len(recent) > MAX_KEPT:
        del recent[next(iter(recent))]


def _timed(span: Span, clock: _Clock, newest: float) -> TimedSpan:
    start = clock.second(span.started_at)
    if span.state == "mark":
        return TimedSpan(span, start, start)
    return TimedSpan(span, start, max(start, clock.second(span.ended_at) if span.ended_at else newest))


class _Clock:
    """Seconds from one timestamp to others. It parses each minute once, because there are many timestamps."""

    def __init__(self, begin: str) -> None:
        self._minutes: dict[str, float] = {}
        self._begin = begin

    def second(self, at: str) -> float:
        """Return the seconds from the first timestamp to `at`, never negative; 0 if one of them is not valid."""
        minute = at[:17]
        try:
            if minute not in self._minutes:
                start = datetime.fromisoformat(f"{minute}00Z")
                self._minutes[minute] = (start - datetime.fromisoformat(self._begin)).total_seconds()
            return max(0.0, self._minutes[minute] + float(at[17:-1]))
        except (ValueError, TypeError):
            return seconds(self._begin, at)

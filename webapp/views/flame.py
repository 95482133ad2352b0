"""The flame view: the spans of a run added up by the path of their names, as boxes whose width is time.

Names that differ only in their numbers count as one. The time of a frame is the self time of its spans and of all spans
below them, so spans that run in parallel add up, and the boxes below a box are never wider than it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from signalbox.store import TaskReading
from signalbox.store.state import Task
from signalbox.webapp.views.span_groups import label_of
from signalbox.webapp.views.span_query import PageQuery
from signalbox.webapp.views.span_times import SpanForest, TimedSpan, span_forest

MIN_WIDTH = 0.15
"""Per cent of the width: a narrower box would be about a pixel, so it is merged with others."""

MAX_LEVELS = 30
MAX_CHAIN = 20
MAX_BOXES = 1000
TABLE_ROWS = 50
ALL = "all spans"


@dataclass(frozen=True, kw_only=True)
class FlameQuery(PageQuery):
    """The parameters of the flame view.

    `zoom` is the id of a span: the frame that it belongs to gets the whole width. `skip` leaves out this many of the
    longest frames directly below it.
    """

    zoom: str = ""
    skip: int = 0


@dataclass(eq=False)
class Frame:
    """Spans with the same path of names. `own` is their self time, `total` also that of the spans below them.

    `first` is the first of these spans, whose id names the frame in an address. `number` counts the frames.
    """

    label: str
    first: TimedSpan | None
    parent: Frame | None
    number: int = 0
    count: int = 0
    failed: int = 0
    own: float = 0.0
    total: float = 0.0
    children: dict[tuple[str, str], Frame] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """The value of `zoom` for this frame."""
        return self.first.span.span_id if self.first else ""

    @property
    def longest_first(self) -> list[Frame]:
        """The frames directly below, in descending order of their time."""
        return sorted(self.children.values(), key=lambda frame: (-frame.total, frame.number))

    @property
    def chain(self) -> list[Frame]:
        """The frames above, the outermost first; of more than MAX_CHAIN, the nearest ones."""
        found: list[Frame] = []
        above = self.parent
        while above is not None and len(found) < MAX_CHAIN:
            found.append(above)
            above = above.parent
        return found[::-1]


@dataclass(frozen=True)
class Box:
    """A frame on one level, in per cent of the width; or the `merged` frames below `frame` that are too narrow."""

    frame: Frame
    left: float
    width: float
    merged: int = 0
    skip: int = 0


@dataclass(frozen=True, kw_only=True)
class FlameView:
    """The flame view as of the seq `task.latest_seq`.

    `levels` has the boxes by level. The first level is `zoomed`, the frame that has the whole width. `table` has the
    frames with the most self time at or below it, of `frames` frames. `has_failed`: a span of these failed.
    """

    task: Task
    forest: SpanForest
    query: FlameQuery
    zoomed: Frame
    levels: list[list[Box]]
    table: list[Frame]
    frames: int
    has_failed: bool

    def share(self, seconds: float) -> float:
        """Return a time in per cent of the time of the frame that has the whole width."""
        return round(100 * seconds / self.zoomed.total, 1) if self.zoomed.total else 0.0


async def flame_view(view: TaskReading, task_id: str, query: FlameQuery) -> FlameView:
    """Read the flame view. Raises UnknownTask."""
    task = await view.task(task_id)
    forest = await span_forest(view, task, after=query.after)
    root, frames = frames_of(forest)
    zoomed = frames.get(query.zoom, root)
    below = [frame for frame in _subtree(zoomed) if frame.count]
    return FlameView(
        task=task,
        forest=forest,
        query=query,
        zoomed=zoomed,
        levels=levels(zoomed, query.skip if not query.zoom or query.zoom in frames else 0),
        table=sorted(below, key=lambda frame: -frame.own)[:TABLE_ROWS],
        frames=len(below),
        has_failed=any(frame.failed for frame in below),
    )


def frames_of(forest: SpanForest) -> tuple[Frame, dict[str, Frame]]:
    """Return the root frame, and the frame of each span by span id."""
    root = Frame(ALL, None, None)
    order: list[Frame] = []
    frames: dict[str, Frame] = {}
    for timed in (timed for start in forest.roots for timed in start.subtree()):
        span = timed.span
        above = frames[timed.parent.span.span_id] if timed.parent else root
        label = label_of(span.name)
        frame = above.children.get((span.kind, label))
        if frame is None:
            frame = above.children[span.kind, label] = Frame(span.name, timed, above, len(order))
            order.append(frame)
        elif frame.label != span.name:
            frame.label = label
        frame.count += 1
        frame.failed += span.state == "failed"
        frame.own += timed.own
        frames[span.span_id] = frame
    for frame in reversed(order):
        frame.total += frame.own
        if frame.parent:
            frame.parent.total += frame.total
    if len(root.children) == 1:
        # One root needs no frame above it.
        root = order[0]
        root.parent = None
    return root, frames


def levels(zoomed: Frame, skip: int) -> list[list[Box]]:
    """Return the boxes from the frame that has the whole width downwards, at most MAX_BOXES, on MAX_LEVELS levels."""
    found = [[Box(zoomed, 0.0, 100.0)]]
    drawn = 1
    while len(found) < MAX_LEVELS:
        level: list[Box] = []
        for box in found[-1]:
            if not box.merged:
                is_first = len(found) == 1
                level += _below(box, skip if is_first else 0, MAX_BOXES - drawn - len(level), is_first)
        if not level:
            break
        drawn += len(level)
        found.append(level)
    return found


def _below(box: Box, skip: int, room: int, is_first: bool) -> list[Box]:
    children = box.frame.longest_first
    children = children[skip:]
    whole = sum(frame.total for frame in children) if skip else box.frame.total
    if not children or whole <= 0:
        return []
    found: list[Box] = []
    left = box.left
    for number, frame in enumerate(children):
        width = box.width * frame.total / whole
        if width < MIN_WIDTH or len(found) >= room - 1:
            rest = children[number:]
            width = max(MIN_WIDTH, box.width * sum(other.total for other in rest) / whole)
            found.append(Box(box.frame, _rounded(left), _rounded(width), len(rest), skip + number if is_first else 0))
            break
        found.append(Box(frame, _rounded(left), _rounded(width)))
        left += width
    return found


def _subtree(frame: Frame) -> Sequence[Frame]:
    found = [frame]
    for one in found:
        found.extend(one.children.values())
    return found


def _rounded(number: float) -> float:
    return round(number, 3)

"""A time axis in per cent of its width, with long idle gaps folded to a mark. All times are in seconds."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from signalbox.webapp.views.text import exact_offset, offset

IDLE_SHARE = 0.1
"""An idle gap is folded if it takes more than this share of the whole time."""

FOLD_WIDTH = 2.5
TICKS = 7
NEXT_TICK = 7.0
"""Per cent of the axis's width that the label of a tick takes."""

_STEPS = (
    *(size * digit for size in (1e-6, 1e-5, 1e-4, 0.001, 0.01, 0.1, 1) for digit in (1, 2, 5)),
    *(10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 21600, 43200),
)
DAY = 86400


class Fold(NamedTuple):
    """An idle gap from `start` to `end`, drawn `width` per cent wide at `left`."""

    start: float
    end: float
    left: float
    width: float


class Tick(NamedTuple):
    """A labelled time on the axis."""

    at: float
    left: float
    label: str


@dataclass(frozen=True)
class Axis:
    """Maps each second from `start` on to a position. Outside folds the scale is the same everywhere."""

    length: float
    folds: tuple[Fold, ...] = ()
    start: float = 0.0

    @property
    def end(self) -> float:
        """The last second of the axis."""
        return self.start + self.length

    @property
    def drawn(self) -> float:
        """The seconds that are not folded."""
        return self.length - sum(fold.end - fold.start for fold in self.folds)

    @property
    def scale(self) -> float:
        """Per cent of the width for each second that is not folded."""
        return (100 - sum(fold.width for fold in self.folds)) / self.drawn if self.drawn > 0 else 0.0

    @cached_property
    def pieces(self) -> list[tuple[float, float]]:
        """The positions of both ends and of the edges of folds, each with its second. Positions between are linear."""
        edges = [edge for fold in self.folds for edge in ((fold.left, fold.start), (fold.left + fold.width, fold.end))]
        return [(0.0, self.start), *edges, (100.0, self.end)]

    def left(self, at: float) -> float:
        """Return the position of the second `at`, in per cent from the left."""
        at = min(max(at, self.start), self.end)
        if not self.folds:
            return (at - self.start) * self._scale
        passed = self.folds[: bisect_right(self.folds, at, key=lambda fold: fold.start)]
        if not passed:
            return (at - self.start) * self._scale
        last = passed[-1]
        if at < last.end:
            return last.left + last.width * (at - last.start) / (last.end - last.start)
        return last.left + last.width + (at - last.end) * self._scale

    def second(self, left: float) -> float:
        """Return the second at a position in per cent; the opposite of `left`."""
        number = min(max(1, bisect_right(self.pieces, left, key=lambda piece: piece[0])), len(self.pieces) - 1)
        (left0, second0), (left1, second1) = self.pieces[number - 1], self.pieces[number]
        return second0 + (left - left0) * (second1 - second0) / (left1 - left0) if left1 > left0 else second0

    @cached_property
    def _scale(self) -> float:
        return self.scale

    def ticks(self) -> list[Tick]:
        """Return the ticks at round times, except those in a fold or under the label of another."""
        drawn = self.drawn
        if drawn <= 0:
            return [Tick(self.start, 0.0, offset(self.start))]
        step = next((step for step in _STEPS if drawn / step <= TICKS), DAY * max(1, -(-drawn // (DAY * TICKS))))
        found: list[Tick] = []
        for start, end in self._segments():
            # An integer, because adding 1 to a float of this size may not change it.
            number = int(-(-start // step))
            while number * step <= end:
                at = number * step
                tick = Tick(at, self.left(at), exact_offset(at, step))
                if not found or tick.left - found[-1].left >= NEXT_TICK:
                    found.append(tick)
                number += 1
        return found

    def _segments(self) -> Iterable[tuple[float, float]]:
        start = self.start
        for fold in self.folds:
            yield start, fold.start
            start = fold.end
        yield start, self.end


def axis(length: float, busy: Iterable[tuple[float, float]], *, fold: bool = True, start: float = 0.0) -> Axis:
    """Return the axis of `length` seconds from `start` on.

    With `fold`, long gaps between the `busy` periods are folded, if they are wholly on the axis.
    """
    end = start + length
    within = [(since, until) for since, until in busy if since <= end and until >= start] if fold else []
    long_gaps = (gap for gap in idle(within) if gap[1] - gap[0] > IDLE_SHARE * length)
    gaps = [(since, until) for since, until in long_gaps if since >= start and until <= end]
    folds: list[Fold] = []
    unfolded = Axis(length, tuple(Fold(since, until, 0.0, FOLD_WIDTH) for since, until in gaps), start)
    left, before = 0.0, start
    for since, until in gaps:
        left += (since - before) * unfolded.scale
        folds.append(Fold(since, until, left, FOLD_WIDTH))
        left, before = left + FOLD_WIDTH, until
    return Axis(length, tuple(folds), start)


def idle(busy: Iterable[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return the gaps between the busy periods."""
    gaps: list[tuple[float, float]] = []
    until: float | None = None
    for start, end in sorted(busy):
        if until is not None and start > until:
            gaps.append((until, start))
        until = end if until is None else max(until, end)
    return gaps

"""A time axis in per cent of its width, with long idle gaps folded to a mark. All times are in seconds."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

IDLE_SHARE = 0.1
"""An idle gap is folded if it takes more than this share of the whole time."""

FOLD_WIDTH = 2.5
TICKS = 7
NEXT_TICK = 7.0
"""Per cent of the axis's width that the label of a tick takes."""

_STEPS = (
    *(size * digit for size in (0.001, 0.01, 0.1, 1) for digit in (1, 2, 5)),
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


@dataclass(frozen=True)
class Axis:
    """Maps each second from 0 to `length` to a position. Outside folds the scale is the same everywhere."""

    length: float
    folds: tuple[Fold, ...] = ()

    @property
    def scale(self) -> float:
        """Per cent of the width for each second that is not folded."""
        drawn = self.length - sum(fold.end - fold.start for fold in self.folds)
        return (100 - sum(fold.width for fold in self.folds)) / drawn if drawn > 0 else 0.0

    def left(self, at: float) -> float:
        """Return the position of the second `at`, in per cent from the left."""
        at = min(max(at, 0.0), self.length)
        passed = self.folds[: bisect_right(self.folds, at, key=lambda fold: fold.start)]
        if not passed:
            return at * self.scale
        last = passed[-1]
        if at < last.end:
            return last.left + last.width * (at - last.start) / (last.end - last.start)
        return last.left + last.width + (at - last.end) * self.scale

    def ticks(self) -> list[Tick]:
        """Return the ticks at round times, except those in a fold or under the label of another."""
        drawn = self.length - sum(fold.end - fold.start for fold in self.folds)
        if drawn <= 0:
            return [Tick(0.0, 0.0)]
        step = next((step for step in _STEPS if drawn / step <= TICKS), DAY * max(1, -(-drawn // (DAY * TICKS))))
        found: list[Tick] = []
        for start, end in self._segments():
            number = -(-start // step)
            while number * step <= end:
                tick = Tick(number * step, self.left(number * step))
                if not found or tick.left - found[-1].left >= NEXT_TICK:
                    found.append(tick)
                number += 1
        return found

    def _segments(self) -> Iterable[tuple[float, float]]:
        start = 0.0
        for fold in self.folds:
            yield start, fold.start
            start = fold.end
        yield start, self.length


def axis(length: float, busy: Iterable[tuple[float, float]], *, fold: bool = True) -> Axis:
    """Return the axis of `length` seconds; with `fold`, long gaps between the `busy` periods are folded."""
    gaps = [gap for gap in idle(busy) if gap[1] - gap[0] > IDLE_SHARE * length] if fold else []
    folds: list[Fold] = []
    unfolded = Axis(length, tuple(Fold(start, end, 0.0, FOLD_WIDTH) for start, end in gaps))
    left = before = 0.0
    for start, end in gaps:
        left += (start - before) * unfolded.scale
        folds.append(Fold(start, end, left, FOLD_WIDTH))
        left, before = left + FOLD_WIDTH, end
    return Axis(length, tuple(folds))


def idle(busy: Iterable[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return the gaps between the busy periods."""
    gaps: list[tuple[float, float]] = []
    until: float | None = None
    for start, end in sorted(busy):
        if until is not None and start > until:
            gaps.append((until, start))
        until = end if until is None else max(until, end)
    return gaps

"""The bars of a chart of runs: one for each run, as high as it took long. All numbers are percentages of the chart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from signalbox.webapp.views.kind import KindRun
from signalbox.webapp.views.run_statistics import percentile

TALLEST = 3.0
"""A bar of more than this many times the median is cut, so that one long run does not flatten the others."""

MIN_SLOTS = 20
"""Few runs get bars as wide as this many runs."""

TOP, BASE, MARKS = 6.0, 84.0, 96.0
"""The highest end of a bar, the ground line, and the line of the marks below it."""

BAR = 0.72
"""The width of a bar, as a share of the space of a run."""

MARK_OF = {"failed": "×", "interrupted": "◐", "cancelled": "■", "waiting": "◆", "running": "○", "queued": "…"}
"""Marks of runs that did not succeed, so that a status is seen without colours."""


@dataclass(frozen=True)
class RunBar:
    """The bar of one run. `cut` says that the run took longer than the bar shows."""

    run: KindRun
    slot: float
    left: float
    middle: float
    width: float
    top: float
    height: float
    cut: bool
    mark: str


@dataclass(frozen=True)
class RunChart:
    """The bars, oldest first. `seconds` is the duration of the highest possible bar, and `p50_at` the line of `p50`."""

    bars: list[RunBar]
    slot: float
    seconds: float
    p50: float | None
    p50_at: float
    base: float = BASE
    top: float = TOP
    marks: float = MARKS


def run_chart(runs: Sequence[KindRun], p50: float | None) -> RunChart:
    """Return the chart of these runs, which are given newest first."""
    durations = sorted(run.seconds for run in runs if run.seconds is not None)
    middle = percentile(durations, 0.5) or 0.0
    seconds = min(durations[-1], TALLEST * middle) if middle else durations[-1] if durations else 0.0
    slot = 100 / max(MIN_SLOTS, len(runs))
    bars = []
    for place, run in enumerate(reversed(runs)):
        height = _height(run.seconds or 0.0, seconds)
        bars.append(
            RunBar(
                run=run,
                slot=round(place * slot, 2),
                left=round((place + (1 - BAR) / 2) * slot, 2),
                middle=round((place + 0.5) * slot, 2),
                width=round(BAR * slot, 2),
                top=round(BASE - height, 2),
                height=round(height, 2),
                cut=(run.seconds or 0.0) > seconds,
                mark=MARK_OF.get(run.status, ""),
            )
        )
    at = round(BASE - _height(p50, seconds), 2) if p50 is not None else BASE
    return RunChart(bars, round(slot, 2), seconds, p50, at)


def _height(taken: float, seconds: float) -> float:
    return min(1.0, taken / seconds) * (BASE - TOP) if seconds else 0.0

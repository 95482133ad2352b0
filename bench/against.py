"""Compare two versions, measured alternately: `python -m bench --against REV [SCENARIO…]`.

Both are measured by this bench, which is copied into a checkout of the other version with its own environment. The runs
alternate, so that a machine that slows down affects both versions. The verdict is the median of the ratios of all pairs
of runs. A scenario of which the other version has no rows is measured once and listed at the end, as is one that fails;
the others are compared.
"""

from __future__ import annotations

import re
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from bench.other_version import ROOT, Results, checkout
from bench.other_version import measure as measure_scenario

WORSE_RATIO = 1.10
"""A figure is marked as worse when the median of its ratios exceeds this."""

_PARENTHESES = re.compile(r"\([^()]*\)")
_FIGURE = re.compile(r"([+-]?[\d,]*\d(?:\.\d+)?)(?:\s*(µs|ms|s|KB|MB|events/s|deliveries/s)(?![\w/]))?")
_SECONDS = {"µs": 1e-6, "ms": 1e-3, "s": 1.0}
_BYTES = {"KB": 1e3, "MB": 1e6}


@dataclass(frozen=True)
class Figure:
    """One number of a row: seconds, bytes, or a rate per second. `more_is_better` is True for rates."""

    value: float
    more_is_better: bool


def figures_of(measured: str) -> list[Figure]:
    """Return the times, sizes and rates in the text of a row, in order. Remarks in parentheses are ignored.

    In `3 / 10 ms` the unit applies to both numbers. Numbers without a unit are not figures.
    """
    found: list[Figure] = []
    unit = ""
    for text, own in reversed(_FIGURE.findall(_PARENTHESES.sub("", measured))):
        unit = own or unit
        value = float(text.replace(",", ""))
        if unit in _SECONDS:
            found.append(Figure(value * _SECONDS[unit], more_is_better=False))
        elif unit in _BYTES:
            found.append(Figure(value * _BYTES[unit], more_is_better=False))
        elif own:
            found.append(Figure(value, more_is_better=True))
    return found[::-1]


@dataclass(frozen=True)
class Comparison:
    """The ratios of one figure of a row over all pairs of runs. Over 1.0, the newer version is worse."""

    name: str
    before: str
    now: str
    ratios: list[float]

    @property
    def worse(self) -> float:
        """Return the median of the ratios. Over 1, the newer version is worse."""
        return median(self.ratios)

    def cells(self) -> tuple[str, ...]:
        spread = f"{min(self.ratios):.2f} to {max(self.ratios):.2f}"
        return (
            self.name,
            self.before,
            self.now,
            f"{self.worse:.2f}",
            spread,
            "WORSE" if self.worse > WORSE_RATIO else "",
        )


def compare(pairs: Sequence[tuple[Results, Results]]) -> Iterator[Comparison]:
    """Compare pairs of runs, (before, now). Rows that only one version has are skipped."""
    for row in pairs[0][0]:
        texts = [(before[row], now[row]) for before, now in pairs if row in before and row in now]
        figures = [(figures_of(before), figures_of(now)) for before, now in texts]
        if not texts or len({len(side) for pair in figures for side in pair}) != 1:
            continue
        for number in range(len(figures[0][0])):
            ratios = [_how_much_worse(before[number], now[number]) for before, now in figures]
            name = row if len(figures[0][0]) == 1 else f"{row} [{number + 1}]"
            yield Comparison(name, texts[0][0], texts[0][1], ratios)


def _how_much_worse(before: Figure, now: Figure) -> float:
    old, new = (now, before) if now.more_is_better else (before, now)
    return new.value / old.value if old.value > 0 else 1.0


def table(comparisons: Sequence[Comparison]) -> str:
    """Return the comparisons as a Markdown table."""
    heads = ("what", "before (first run)", "now (first run)", "worse by", "pairs", "")
    lines = [heads, ("---",) * len(heads), *(comparison.cells() for comparison in comparisons)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def run(
    revision: str,
    scenarios: Sequence[str],
    *,
    rounds: int,
    scale: str,
    measure: Callable[[Path, str, str], Results] = measure_scenario,
) -> int:
    """Measure `revision` and this checkout alternately, and print the comparison.

    Return 1 if a figure is worse by over 10 %, or if a scenario could not be measured.
    """
    started_at = time.monotonic()
    every: list[Comparison] = []
    failed: list[str] = []
    missing: list[str] = []

    def progress(text: str) -> None:
        print(f"[{time.monotonic() - started_at:4.0f} s] {text}", file=sys.stderr, flush=True)

    with tempfile.TemporaryDirectory(prefix="signalbox-against-") as folder:
        progress(f"installing {revision} …")
        other = checkout(revision, Path(folder))
        for scenario in scenarios:
            try:
                pairs = _alternate(
                    other, scenario, rounds, lambda tree, scenario: measure(tree, scenario, scale), progress
                )
            except RuntimeError as error:
                failed.append(scenario)
                progress(str(error))
                continue
            if not pairs:
                missing.append(scenario)
                continue
            compared = list(compare(pairs))
            progress(f"{scenario}:\n{table(compared)}")
            every += compared
    worse = [comparison for comparison in every if comparison.worse > WORSE_RATIO]
    print(table(every))
    limit = f"{WORSE_RATIO - 1:.0%}"
    print(f"\n{len(every)} figures, {rounds} pairs of runs: {len(worse)} worse by more than {limit} at the median")
    if missing:
        print(f"not in {revision}, so not compared: {', '.join(missing)}")
    for scenario in failed:
        print(f"{scenario} could not be measured in both versions; see above", file=sys.stderr)
    return 1 if worse or failed else 0


def _alternate(
    other: Path,
    scenario: str,
    rounds: int,
    measure: Callable[[Path, str], Results],
    progress: Callable[[str], None],
) -> list[tuple[Results, Results]]:
    """Return pairs of runs, (before, now). Return none if the other version has no rows of this scenario."""
    pairs = []
    for number in range(rounds):
        progress(f"{scenario}, pair {number + 1} of {rounds} …")
        # The second run of a pair finds a warm disk cache, so the order alternates.
        results = dict[Path, Results]()
        for tree in (other, ROOT) if number % 2 == 0 else (ROOT, other):
            results[tree] = measure(tree, scenario)
            if tree == other and not results[tree]:
                return []
        pairs.append((results[other], results[ROOT]))
    return pairs

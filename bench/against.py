"""Compare two versions, measured alternately: `python -m bench --against REV [SCENARIO…]`.

Both are measured by this bench, which is copied into a checkout of the other version with its own environment. The runs
alternate, so that a machine that slows down affects both versions. The verdict is the median of the ratios of all pairs
of runs. A scenario that one version does not support is listed at the end, and the others are compared.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from statistics import median

ROOT = Path(__file__).parent.parent
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


Results = dict[str, str]
"""The result of one run of the bench: the measured text of each row, by the row's name."""


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


def checkout(revision: str, folder: Path) -> Path:
    """Put `revision` and this bench into `folder`, with a separate environment. Raise CalledProcessError on failure."""
    archive = subprocess.run(["git", "archive", revision], cwd=ROOT, capture_output=True, check=True).stdout
    with tarfile.open(fileobj=BytesIO(archive)) as tar:
        tar.extractall(folder, filter="data")
    adopt_bench(folder)
    subprocess.run(["scripts/make_venv", ".venv"], cwd=folder, check=True, stdout=sys.stderr)
    return folder


def adopt_bench(tree: Path) -> None:
    """Replace the bench of a checkout by this one.

    Versions from before the package `signalbox` had two top-level packages, `store` and `webapp`.
    """
    shutil.rmtree(tree / "bench", ignore_errors=True)
    shutil.copytree(ROOT / "bench", tree / "bench", ignore=shutil.ignore_patterns("results.json", "__pycache__"))
    if not (tree / "signalbox").exists():
        for module in (tree / "bench").rglob("*.py"):
            module.write_text(re.sub(r"\bsignalbox\.(store|webapp)\b", r"\1", module.read_text()))


def measure(tree: Path, scenario: str, scale: str) -> Results:
    """Run one scenario in a checkout. Raise RuntimeError if it could not be measured."""
    command = [str(tree / ".venv/bin/python"), "-m", "bench", "--scale", scale, scenario]
    process = subprocess.run(command, cwd=tree, capture_output=True, text=True)
    if process.returncode:
        raise RuntimeError(f"{scenario} could not be measured in {tree}:\n{process.stderr[-2000:]}")
    rows = json.loads((tree / "bench/results.json").read_text())["rows"]
    return {row["name"]: row["measured"] for row in rows}


def run(
    revision: str,
    scenarios: Sequence[str],
    *,
    rounds: int,
    scale: str,
    measure: Callable[[Path, str, str], Results] = measure,
) -> int:
    """Measure `revision` and this checkout alternately, and print the comparison.

    Return 1 if a figure is worse by over 10 %, or if a scenario could not be measured.
    """
    started_at = time.monotonic()
    every: list[Comparison] = []
    failed: list[str] = []

    def progress(text: str) -> None:
        print(f"[{time.monotonic() - started_at:4.0f} s] {text}", file=sys.stderr, flush=True)

    with tempfile.TemporaryDirectory(prefix="signalbox-against-") as folder:
        progress(f"installing {revision} …")
        other = checkout(revision, Path(folder))
        for scenario in scenarios:
            pairs: list[tuple[Results, Results]] = []
            try:
                for number in range(rounds):
                    progress(f"{scenario}, pair {number + 1} of {rounds} …")
                    # The second run of a pair finds a warm disk cache, so the order alternates.
                    trees = (other, ROOT) if number % 2 == 0 else (ROOT, other)
                    results = {tree: measure(tree, scenario, scale) for tree in trees}
                    pairs.append((results[other], results[ROOT]))
            except RuntimeError as error:
                failed.append(scenario)
                progress(str(error))
                continue
            compared = list(compare(pairs))
            progress(f"{scenario}:\n{table(compared)}")
            every += compared
    worse = [comparison for comparison in every if comparison.worse > WORSE_RATIO]
    print(table(every))
    limit = f"{WORSE_RATIO - 1:.0%}"
    print(f"\n{len(every)} figures, {rounds} pairs of runs: {len(worse)} worse by more than {limit} at the median")
    for scenario in failed:
        print(f"{scenario} could not be measured in both versions; see above", file=sys.stderr)
    return 1 if worse or failed else 0

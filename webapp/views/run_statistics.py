"""Statistics of the newest runs of a kind: how many failed, and how long they took."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

FAILED = frozenset({"failed", "interrupted"})
"""The statuses of a run that count as a failure. A cancelled run counts neither as a failure nor as a success."""


class AnyRun(Protocol):
    """A run with its status and, once it has ended, its duration in seconds."""

    @property
    def status(self) -> str: ...
    @property
    def duration(self) -> float | None: ...


@dataclass(frozen=True)
class Statistics:
    """`runs` is the number of runs, and `decided` that of those that succeeded or failed.

    `p50` and `p95` are percentiles of the durations of the runs that succeeded, in seconds; None if there are none.
    """

    runs: int
    decided: int
    failed: int
    p50: float | None
    p95: float | None

    @property
    def failure_rate(self) -> float | None:
        """The share of failures among the decided runs, 0 to 1; None without any."""
        return self.failed / self.decided if self.decided else None


def statistics_of(runs: Sequence[AnyRun]) -> Statistics:
    """Return the statistics of these runs."""
    failed = sum(run.status in FAILED for run in runs)
    done = [run for run in runs if run.status == "done"]
    durations = sorted(run.duration for run in done if run.duration is not None)
    return Statistics(
        runs=len(runs),
        decided=failed + len(done),
        failed=failed,
        p50=percentile(durations, 0.5),
        p95=percentile(durations, 0.95),
    )


def percentile(ordered: Sequence[float], share: float) -> float | None:
    """Return the smallest value that is at least as large as this share of the values (nearest rank)."""
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else None

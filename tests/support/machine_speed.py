"""Measure how fast this machine is at the moment, so that time limits also hold on a slow or busy one."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable

QUIET = 0.02
"""Seconds that a quiet machine takes to start and end a small process."""

TRIES = 3


def slowness() -> float:
    """Return how many times slower this machine is now than a quiet one; at least 1."""
    started_at = time.monotonic()
    for _ in range(TRIES):
        subprocess.run([sys.executable, "-S", "-c", "pass"], check=True)
    return max(1.0, (time.monotonic() - started_at) / TRIES / QUIET)


def check_duration(attempt: Callable[[], object], limit: float, tries: int = 5) -> None:
    """Check that `attempt` can take less than `limit` seconds of a quiet machine. Other work may delay a single try."""
    durations = []
    for _ in range(tries):
        started_at = time.monotonic()
        attempt()
        durations.append(time.monotonic() - started_at)
        if durations[-1] < limit or durations[-1] < limit * slowness():
            return
    raise AssertionError(f"it took {durations} seconds, each time more than {limit} of a quiet machine")

"""Measure how fast this machine is at the moment, so that time limits also hold on a slow or busy one."""

from __future__ import annotations

import subprocess
import sys
import time

QUIET = 0.02
"""Seconds that a quiet machine takes to start and end a small process."""

TRIES = 3


def slowness() -> float:
    """Return how many times slower this machine is now than a quiet one; at least 1."""
    started_at = time.monotonic()
    for _ in range(TRIES):
        subprocess.run([sys.executable, "-S", "-c", "pass"], check=True)
    return max(1.0, (time.monotonic() - started_at) / TRIES / QUIET)

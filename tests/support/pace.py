"""How fast this machine is just now, for limits on durations that must hold on a slow or busy one as well."""

from __future__ import annotations

import subprocess
import sys
import time

QUIET = 0.02
"""Seconds in which a quiet machine starts and ends a small process."""

TRIES = 3


def slowness() -> float:
    """How many times longer than on a quiet machine things take here and now; at least 1."""
    began = time.monotonic()
    for _ in range(TRIES):
        subprocess.run([sys.executable, "-S", "-c", "pass"], check=True)
    return max(1.0, (time.monotonic() - began) / TRIES / QUIET)

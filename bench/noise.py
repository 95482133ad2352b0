"""Measure the CPU that other processes use during a scenario. Figures are reliable only on a quiet machine."""

from __future__ import annotations

import os
import resource
import time
from pathlib import Path

_STAT = Path("/proc/stat")


class Noise:
    """The CPU used by processes other than this one and its children, since this object was created."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._all, self._ours = _all_cpu_seconds(), _our_cpu_seconds()

    def cores(self) -> float | None:
        """Return how many cores others used on average, or None if unknown. Children count once they have ended."""
        if not _STAT.exists():
            return None
        others = (_all_cpu_seconds() - self._all) - (_our_cpu_seconds() - self._ours)
        return max(0.0, others / (time.monotonic() - self._began))


def _all_cpu_seconds() -> float:
    if not _STAT.exists():
        return 0.0
    user, nice, system = map(int, _STAT.read_text().split("\n", 1)[0].split()[1:4])
    return (user + nice + system) / os.sysconf("SC_CLK_TCK")


def _our_cpu_seconds() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(use.ru_utime + use.ru_stime for use in used)

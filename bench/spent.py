"""CPU seconds that something used. Unlike elapsed time, they hardly depend on what else the machine does."""

from __future__ import annotations

import resource
import subprocess
import time
from collections.abc import Sequence


def cpu_of_children() -> float:
    """Return the CPU seconds of all children of this process that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def run_and_time(argv: Sequence[str]) -> tuple[float, float]:
    """Run a command without terminal; return elapsed and CPU seconds. Raise CalledProcessError if it failed."""
    began, cpu = time.perf_counter(), cpu_of_children()
    subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
    return time.perf_counter() - began, cpu_of_children() - cpu

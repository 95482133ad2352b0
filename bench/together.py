"""Time several processes that append at the same time."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable
from multiprocessing.synchronize import Barrier

PROCESSES = 10
READY_TIMEOUT, DONE_TIMEOUT = 60, 120
"""Upper limits in seconds of the start of all processes, and of their work."""


def time_together(work: Callable[..., None], *arguments: object) -> float:
    """Run `work(gate, *arguments)` in PROCESSES processes. Return the seconds from all being ready to all being done.

    `work` calls `wait_for_all(gate)` when it is ready and again when it is done. Raises RuntimeError if one failed.
    """
    spawning = multiprocessing.get_context("spawn")
    gate = spawning.Barrier(PROCESSES + 1)
    children = [spawning.Process(target=work, args=(gate, *arguments)) for _ in range(PROCESSES)]
    for child in children:
        child.start()
    gate.wait(READY_TIMEOUT)
    began = time.perf_counter()
    gate.wait(DONE_TIMEOUT)
    seconds = time.perf_counter() - began
    for child in children:
        child.join()
    exit_codes = [child.exitcode for child in children]
    if any(exit_codes):
        raise RuntimeError(f"a process of {PROCESSES} failed: exit codes {exit_codes}")
    return seconds


def wait_for_all(gate: Barrier) -> None:
    """Wait until all processes have come this far."""
    gate.wait(DONE_TIMEOUT)

"""Time several processes that append at the same time."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from multiprocessing.sharedctypes import Synchronized
from multiprocessing.synchronize import Barrier
from types import TracebackType

PROCESSES = 10
READY_TIMEOUT, DONE_TIMEOUT = 60, 120
"""Upper limits in seconds of the start of all processes, and of their work."""


@dataclass
class Gate(AbstractContextManager[None]):
    """Waits on entry until all processes are ready and on exit until all are done, and adds up their CPU seconds."""

    barrier: Barrier
    cpu: Synchronized[float]
    _began: float = 0.0

    def __enter__(self) -> None:
        self.barrier.wait(READY_TIMEOUT)
        self._began = time.process_time()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if error is not None:
            self.barrier.abort()
            return
        used = time.process_time() - self._began
        with self.cpu.get_lock():
            self.cpu.value += used
        self.barrier.wait(DONE_TIMEOUT)


def time_together(work: Callable[..., None], *arguments: object) -> tuple[float, float]:
    """Run `work(gate, *arguments)` in PROCESSES processes. Return elapsed seconds and CPU seconds of all.

    `work` prepares, and does what is timed in `with gate:`. Raises RuntimeError if a process failed.
    """
    spawning = multiprocessing.get_context("spawn")
    gate = Gate(spawning.Barrier(PROCESSES + 1), spawning.Value("d", 0.0))
    children = [spawning.Process(target=work, args=(gate, *arguments)) for _ in range(PROCESSES)]
    for child in children:
        child.start()
    gate.barrier.wait(READY_TIMEOUT)
    began = time.perf_counter()
    gate.barrier.wait(DONE_TIMEOUT)
    seconds = time.perf_counter() - began
    for child in children:
        child.join()
    exit_codes = [child.exitcode for child in children]
    if any(exit_codes):
        raise RuntimeError(f"a process of {PROCESSES} failed: exit codes {exit_codes}")
    return seconds, gate.cpu.value

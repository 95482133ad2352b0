"""The transactions in which retention holds the lock of the writer, and how long appends waited for them."""

from __future__ import annotations

import time
from bisect import bisect_left, bisect_right
from collections.abc import Callable
from typing import Any

from signalbox.store import sqlite
from signalbox.store.sql import removal


class RetentionSteps:
    """Records the steps of retention in the thread of the writer: when each began and ended, and its CPU time.

    All times are in seconds of `time.perf_counter`. On a busy machine a step takes much longer than its CPU time, and
    so does an append. So an append only counts as delayed by retention for the time during which a step ran.
    """

    def __init__(self) -> None:
        self._begins: list[float] = []
        self._ends: list[float] = []
        self.cpu: list[float] = []

    def recorded(self, step: Callable[..., Any]) -> Callable[..., Any]:
        """Return a function that does a step and records it."""

        def run(*arguments: Any) -> Any:
            begun, cpu = time.perf_counter(), time.thread_time()
            try:
                return step(*arguments)
            finally:
                self.cpu.append(time.thread_time() - cpu)
                self._begins.append(begun)
                self._ends.append(time.perf_counter())

        return run

    def record(self) -> None:
        """Record all steps of this process from now on, in stores that are opened later."""
        for module, name in ((removal, "step"), (removal, "hide"), (sqlite, "return_pages")):
            setattr(module, name, self.recorded(getattr(module, name)))

    def overlap(self, begun: float, ended: float) -> float:
        """Return for how many seconds between two times a step ran."""
        first, last = bisect_right(self._ends, begun), bisect_left(self._begins, ended)
        return sum(min(self._ends[at], ended) - max(self._begins[at], begun) for at in range(first, last))

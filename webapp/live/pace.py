"""Adaptive flush pacing: idle means at once, load means batches, with no knob.

After a flush that took `cost` seconds the next one waits REST times as long, but never past `longest`. A light
load therefore has latency and a heavy one throughput: the wait fills the next flush.
"""

from __future__ import annotations

import time

REST = 8.0


class Pace:
    """When the next flush is due."""

    def __init__(self, longest: float, batch_size: int) -> None:
        self._longest = longest
        self._batch_size = batch_size
        self._ended = 0.0
        self._cost = 0.0

    def delay(self, held: int) -> float:
        """Seconds to wait before flushing `held` events. A full batch waits only as long as a flush costs."""
        return self._left(self._cost) if held >= self._batch_size else self.pause()

    def pause(self) -> float:
        """Seconds until events that fill no batch are flushed."""
        return self._left(min(self._cost * REST, self._longest))

    def flushed(self, cost: float) -> None:
        """A flush of `cost` seconds has just ended."""
        self._cost = cost
        self._ended = time.perf_counter()

    def _left(self, pause: float) -> float:
        return max(0.0, self._ended + pause - time.perf_counter())

"""Adaptive flush pacing: an idle lane flushes at once, a loaded one in batches.

After a flush that took `cost` seconds the next one waits REST times as long, at most `longest`. So a light load gets
low latency, and a heavy load large batches.
"""

from __future__ import annotations

import time

REST = 8.0


class Pace:
    """The time of the next flush. `longest` is the longest wait in seconds."""

    def __init__(self, longest: float, batch_size: int) -> None:
        self._longest = longest
        self._batch_size = batch_size
        self._ended = 0.0
        self._cost = 0.0

    def delay(self, held: int) -> float:
        """Seconds until `held` events are flushed. A full batch waits only as long as the last flush took."""
        return self._left(self._cost) if held >= self._batch_size else self.pause()

    def pause(self) -> float:
        """Seconds until less than a batch is flushed."""
        return self._left(min(self._cost * REST, self._longest))

    def flushed(self, cost: float) -> None:
        """Note that a flush of `cost` seconds has just ended."""
        self._cost = cost
        self._ended = time.perf_counter()

    def _left(self, pause: float) -> float:
        return max(0.0, self._ended + pause - time.perf_counter())

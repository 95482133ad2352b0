"""Adaptive flush pacing: an idle lane flushes at once, a loaded one in batches.

After a flush that took `cost` seconds, the next one waits PAUSE_FACTOR times as long, at most `max_pause`. A light load
therefore gets low latency, and a heavy load gets large batches.
"""

from __future__ import annotations

import time

PAUSE_FACTOR = 8.0


class Pace:
    """Computes the time of the next flush. `max_pause` is the longest wait in seconds."""

    def __init__(self, max_pause: float, batch_size: int) -> None:
        self._max_pause = max_pause
        self._batch_size = batch_size
        self._ended = 0.0
        self._cost = 0.0

    def delay(self, held: int) -> float:
        """Return the seconds until `held` events are flushed. A full batch waits as long as the last flush took."""
        return self._left(self._cost) if held >= self._batch_size else self.pause()

    def pause(self) -> float:
        """Return the seconds until a batch that is not full is flushed."""
        return self._left(min(self._cost * PAUSE_FACTOR, self._max_pause))

    def flushed(self, cost: float) -> None:
        """Record that a flush has just ended, which took `cost` seconds."""
        self._cost = cost
        self._ended = time.perf_counter()

    def _left(self, pause: float) -> float:
        return max(0.0, self._ended + pause - time.perf_counter())

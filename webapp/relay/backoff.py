"""Exponential backoff between connection attempts."""

from __future__ import annotations

import random
import time

FIRST_WAIT, MAX_WAIT = 0.25, 30.0
"""Seconds before the first new attempt, doubled after each failure, up to the maximum."""


class Backoff:
    """Exponential waits with jitter. A wait is never shorter than the upstream asks for."""

    def __init__(self) -> None:
        self.failures = 0
        self._first_failure = 0.0

    def succeeded(self) -> None:
        """Reset the backoff, because the upstream sent something."""
        self.failures = 0

    def failed(self, retry_after: float | None) -> float:
        """Record a failed attempt and return the seconds to wait. `retry_after` is the upstream's own request."""
        if self.failures == 0:
            self._first_failure = time.monotonic()
        wait = min(FIRST_WAIT * 2.0 ** min(self.failures, 10), MAX_WAIT) * random.uniform(0.5, 1)
        self.failures += 1
        return max(wait, retry_after or 0.0)

    @property
    def failing_for(self) -> float:
        """Seconds since the first failed attempt of the current series; 0 if the last attempt succeeded."""
        return time.monotonic() - self._first_failure if self.failures else 0.0

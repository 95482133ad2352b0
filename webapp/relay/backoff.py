"""How long a relay waits before it asks again."""

from __future__ import annotations

import random
import time

FIRST, LONGEST = 0.25, 30.0
"""Seconds before the first attempt after a cut, doubled with each that fails, up to the longest."""


class Backoff:
    """Growing waits with jitter, never shorter than the upstream asked for."""

    def __init__(self) -> None:
        self.attempts = 0
        self._since = 0.0

    def succeeded(self) -> None:
        """Something came: the next wait is a short one."""
        self.attempts = 0

    def failed(self, asked: float | None) -> float:
        """One more attempt was in vain: the seconds to wait now. `asked` is what the upstream wishes."""
        if self.attempts == 0:
            self._since = time.monotonic()
        wait = min(FIRST * 2.0 ** min(self.attempts, 10), LONGEST) * random.uniform(0.5, 1)
        self.attempts += 1
        return max(wait, asked or 0.0)

    @property
    def lasting(self) -> float:
        """Seconds since the first attempt of those in vain."""
        return time.monotonic() - self._since if self.attempts else 0.0

"""The time by which runs are deleted or moved to cold storage. A clock that steps forward is believed after an hour.

A deletion cannot be undone, and a move takes long. A wrong date, such as that of a machine whose time server failed for
a moment, would else make years of runs seem old enough within a minute.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

STEP = timedelta(minutes=10)
"""A step forward from which on the clock is doubted. Smaller corrections of a clock are usual."""

PATIENCE = timedelta(hours=1)
"""How long a clock that stepped forward must stay there before it is believed."""


_RUNNING = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def present() -> datetime:
    """Return the present time of this machine."""
    return datetime.now(UTC)


def running() -> float:
    """Return the seconds since the machine started, on Linux with those in which it was suspended."""
    return time.clock_gettime(_RUNNING)


class SteadyClock:
    """Returns the present time, without a step forward that is younger than `patience`.

    `clock` returns the time of this machine, and `monotonic` seconds that no change of that time affects. Where they
    stand still while the machine is suspended, the time of the suspension counts as a step.
    """

    def __init__(
        self,
        clock: Callable[[], datetime] = present,
        monotonic: Callable[[], float] = running,
        *,
        patience: timedelta = PATIENCE,
    ) -> None:
        self._clock, self._monotonic, self._patience = clock, monotonic, patience
        self._time, self._at = clock(), monotonic()
        self._doubted_since: float | None = None
        self.step = timedelta(0)
        """The step forward that is not believed yet."""

    def now(self) -> datetime:
        """Return the present time."""
        shown, at = self._clock(), self._monotonic()
        expected = self._time + timedelta(seconds=at - self._at)
        step = shown - expected
        if step >= STEP:
            if self._doubted_since is None:
                self._doubted_since = at
            if timedelta(seconds=at - self._doubted_since) < self._patience:
                self._time, self._at, self.step = expected, at, step
                return expected
        self._doubted_since, self.step = None, timedelta(0)
        self._time, self._at = shown, at
        return shown

"""The pace of work in the background: short transactions with pauses, so that writers hardly notice it."""

from __future__ import annotations

STEP_SECONDS = 0.008
"""Seconds for which one transaction may hold the lock of the writers, apart from its last statement."""

REST = 4.0
"""A pause is this many times as long as the step before, while a task is moved in the background."""

URGENT_REST = 1.0
"""The same while a task is restored, because a writer waits for it."""

MIN_REST_SECONDS = 0.004


def rest_after(seconds: float, factor: float) -> float:
    """Return how long to pause after a step of `seconds`."""
    return max(MIN_REST_SECONDS, seconds * factor)

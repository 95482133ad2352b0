"""Wait for a condition instead of for a time."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

Value = TypeVar("Value")

FIRST_PAUSE, MAX_PAUSE = 0.005, 0.03
"""Seconds between two calls of a condition, at first and later."""


def wait_until(condition: Callable[[], Value], timeout: float = 60, message: str = "it did not become true") -> Value:
    """Call `condition` until its value is true, and return the value. Raise AssertionError after `timeout` seconds.

    The calls become rarer, because each takes CPU time from what the test waits for.
    """
    started = time.monotonic()
    while not (value := condition()):
        waited = time.monotonic() - started
        assert waited < timeout, f"{message} within {timeout} s; the last value is {value!r}"
        time.sleep(min(FIRST_PAUSE + waited / 10, MAX_PAUSE))
    return value

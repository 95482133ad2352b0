"""Wait for a condition instead of for a time."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

Value = TypeVar("Value")


def wait_until(condition: Callable[[], Value], timeout: float = 20, message: str = "it did not become true") -> Value:
    """Call `condition` until its value is true, and return the value. Raise AssertionError after `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while not (value := condition()):
        assert time.monotonic() < deadline, f"{message} within {timeout} s; the last value is {value!r}"
        time.sleep(0.005)
    return value

"""A limit on what a page shows, in items and in characters."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

T = TypeVar("T")


def first_within(items: Sequence[T], most: int, chars: int, size_of: Callable[[T], int]) -> list[T]:
    """Return the first items: at most `most`, and at most `chars` characters together unless the first has more."""
    left = chars
    for at, item in enumerate(items[:most]):
        left -= size_of(item)
        if at and left < 0:
            return list(items[:at])
    return list(items[:most])

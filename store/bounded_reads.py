"""Reads that are limited in bytes, and not only in rows: one row may have hundreds of kilobytes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from signalbox.store.events import Event

STEP = 500
"""Maximum rows of one query, so that it reads 128 MB at most."""

FIRST_STEP = 100
"""Rows of the first query. Most callers want no more."""

T = TypeVar("T")


async def bounded_read(
    read: Callable[[T | None, int], Awaitable[list[T]]],
    limit: int,
    max_bytes: int,
    size: Callable[[T], int],
    *,
    steps: tuple[int, int] = (FIRST_STEP, STEP),
) -> tuple[list[T], bool]:
    """Return at most `limit` rows with at most `max_bytes` bytes, but at least one, and whether there may be more.

    `read(row, n)` returns the n rows after a row, or the first n for None. `size` is the length of a row in bytes.
    `steps` are the most rows of the first query, and of each further one.
    """
    found: list[T] = []
    total, step = 0, steps[0]
    while len(found) < limit:
        step = min(step, limit - len(found))
        page = await read(found[-1] if found else None, step)
        for row in page:
            total += size(row)
            if found and total > max_bytes:
                return found, True
            found.append(row)
        if len(page) < step:
            return found, False
        step = steps[1]
    return found, True


def payload_bytes(event: Event) -> int:
    """Return the length of an event's payload as JSON, in bytes."""
    return memoryview(event.payload_json).nbytes

"""Reads that are limited in bytes, and not only in rows: one row may have hundreds of kilobytes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from signalbox.store.contract import Reading
from signalbox.store.events import Event

STEP = 500
"""Maximum rows of one query, so that it reads 128 MB at most."""

FIRST_STEP = 100
"""Rows of the first query. Most callers want no more."""

GROWTH = 8
"""A query reads at most this many times as many rows as the one before: the next rows may be longer."""

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
    `steps` are the most rows of the first query, and of each further one. A further query reads about as many rows as
    still have room, if they are as long as those before.
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
        if total >= max_bytes:
            break
        room = (max_bytes - total) * len(found) // max(total, 1)
        step = min(room + 1, GROWTH * step, steps[1])
    return found, True


async def events_within(
    view: Reading,
    task_id: str,
    since_seq: int,
    limit: int,
    max_bytes: int,
    *,
    steps: tuple[int, int] = (FIRST_STEP, STEP),
) -> tuple[list[Event], bool]:
    """Return the events of a task after `since_seq`, limited as by `bounded_read`, and whether there may be more."""
    return await bounded_read(
        lambda last, count: view.events(task_id, last.seq if last else since_seq, count),
        limit,
        max_bytes,
        payload_bytes,
        steps=steps,
    )


def rows_within(max_bytes: int, rows: int, size: int, most: int) -> int:
    """Return how many rows have about `max_bytes` bytes, at most `most`, if `rows` of them have `size` bytes."""
    return max(1, min(most, rows * max_bytes // max(size, 1)))


def payload_bytes(event: Event) -> int:
    """Return the length of an event's payload as JSON, in bytes."""
    return memoryview(event.payload_json).nbytes

"""Answers of a bounded size: however long payloads are, what is read, held and sent at once stays within BYTES."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from signalbox.store import Event

BYTES = 8 * 1024 * 1024
"""Bytes of payloads in one answer, before one more of any length."""

FIRST = 100
"""Events that are read first: how many follow depends on how long these are."""

T = TypeVar("T")


def within_bytes(found: Sequence[T], size: Callable[[T], int], most: int = BYTES) -> list[T]:
    """The first of `found` that together have at most `most` bytes, and one at least."""
    total, shown = 0, list[T]()
    for one in found:
        total += size(one)
        if shown and total > most:
            break
        shown.append(one)
    return shown


async def bounded_events(
    read: Callable[[int | None, int], Awaitable[list[Event]]], limit: int, most: int = BYTES
) -> list[Event]:
    """At most `limit` events and `most` bytes of payloads; `read(seq, n)` gives n events beyond `seq`."""
    found: list[Event] = []
    total, step = 0, min(limit, FIRST)
    while len(found) < limit:
        page = await read(found[-1].seq if found else None, step)
        total += sum(map(payload_bytes, page))
        found += page
        if len(page) < step or total >= most:
            break
        step = min(limit - len(found), max(FIRST, len(found) * (most - total) // max(total, 1)))
    return within_bytes(found, payload_bytes, most)


def payload_bytes(event: Event) -> int:
    """How long the payload of an event is as JSON."""
    return memoryview(event.payload_json).nbytes

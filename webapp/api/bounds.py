"""Limits the size of responses: one response contains about `MAX_PAYLOAD_BYTES` of payloads at most."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from signalbox.store import Event
from signalbox.store.bounded_reads import bounded_read, payload_bytes

MAX_PAYLOAD_BYTES = 8 * 1024 * 1024
"""Maximum bytes of payloads in one response. A single longer payload is still sent."""

T = TypeVar("T")


def within_bytes(found: Sequence[T], size: Callable[[T], int], max_bytes: int = MAX_PAYLOAD_BYTES) -> list[T]:
    """Return the longest prefix of `found` with at most `max_bytes` bytes, but at least one item."""
    total, shown = 0, list[T]()
    for item in found:
        total += size(item)
        if shown and total > max_bytes:
            break
        shown.append(item)
    return shown


async def bounded_events(
    read: Callable[[int | None, int], Awaitable[list[Event]]], limit: int, max_bytes: int = MAX_PAYLOAD_BYTES
) -> list[Event]:
    """Return at most `limit` events and `max_bytes` bytes of payloads. `read(seq, n)` returns n events beyond `seq`."""
    found, _ = await bounded_read(
        lambda last, count: read(last.seq if last else None, count), limit, max_bytes, payload_bytes
    )
    return found

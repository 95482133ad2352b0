"""Reads the first piece of a streamed response before its headers are sent.

An error that is known by then, such as a damaged file or a busy store, becomes a response with its status and a
message. A later error cuts the connection, so that no client takes what it received for the whole.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TypeVar

T = TypeVar("T")


async def begun(pieces: AsyncIterator[T]) -> AsyncIterator[T]:
    """Return the same pieces. Raises the errors of the first one."""
    try:
        first = await anext(pieces)
    except StopAsyncIteration:
        return pieces
    return _joined(first, pieces)


async def _joined(first: T, rest: AsyncIterator[T]) -> AsyncIterator[T]:
    yield first
    async for piece in rest:
        yield piece

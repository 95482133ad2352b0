"""Renderers: they give a frame lane the bytes that bring a stream from its cursor to the newest state."""

from __future__ import annotations

from typing import Generic, Protocol, TypeVar, runtime_checkable

from signalbox.webapp.live.chunk import Chunk

T = TypeVar("T")


class Renderer(Protocol):
    """Renders frames for all streams of one lane. A frame depends on the cursor alone, so the lane shares its bytes."""

    async def __call__(self, cursor: int) -> Chunk | None:
        """Return the chunk for a stream at `cursor`, or None if nothing changed. Raises UnknownTask or StoreError."""


class NotInMemory(Exception):
    """A frame cannot be rendered from memory and needs a read of the store."""


@runtime_checkable
class MemoryRenderer(Renderer, Protocol):
    """A renderer that can render most frames without a read."""

    def from_memory(self, cursor: int) -> Chunk | None:
        """Return the same as a call of the renderer. Raises NotInMemory if that needs a read."""


class Kept(Generic[T]):
    """The last `size` states that a renderer has sent, by position, so that a frame can omit unchanged parts."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._states: dict[int, T] = {}

    def get(self, position: int) -> T | None:
        """Return the state at a position; None if no frame ended there, or if it is no longer kept."""
        return self._states.get(position)

    def put(self, position: int, state: T) -> None:
        """Keep a state. If there are too many, drop the one with the lowest position."""
        self._states[position] = state
        if len(self._states) > self._size:
            del self._states[min(self._states)]

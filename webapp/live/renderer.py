"""Renderers: they give a frame lane the bytes that bring a stream from its cursor to the newest state."""

from __future__ import annotations

from typing import Generic, Protocol, TypeVar, runtime_checkable

from signalbox.webapp.live.chunk import Chunk

K = TypeVar("K")
T = TypeVar("T")


class Renderer(Protocol):
    """Renders frames for all streams of one lane. A frame depends on the cursor alone, so the lane shares its bytes."""

    async def __call__(self, cursor: int) -> Chunk | None:
        """Return the chunk for a stream at `cursor`, or None if nothing changed. Raises UnknownTask or StoreError."""


class NotInMemory(Exception):
    """A frame cannot be rendered from memory and needs a read of the store."""


@runtime_checkable
class StateRenderer(Protocol):
    """A renderer of a page that can change without a new position, for instance because time has passed.

    It names each state of the page. A page tells the name of the state that it shows when it opens a stream, so it gets
    a frame if that state has changed since it was loaded.
    """

    async def from_state(self, cursor: int, shown: str) -> Chunk | None:
        """Return the chunk for a stream at `cursor` whose page shows a state, or None if nothing changed."""


@runtime_checkable
class MemoryRenderer(StateRenderer, Protocol):
    """A renderer that can render most frames without a read."""

    def from_memory(self, cursor: int, shown: str) -> Chunk | None:
        """Return the same as `from_state`. Raises NotInMemory if that needs a read."""


class Kept(Generic[K, T]):
    """The last `size` states that a renderer has sent, by position or name. A frame omits unchanged parts."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._states: dict[K, T] = {}

    def get(self, key: K) -> T | None:
        """Return a state; None if no frame ended there, or if it is no longer kept."""
        return self._states.get(key)

    def put(self, key: K, state: T) -> None:
        """Keep a state. If there are too many, drop the one that was put first."""
        self._states.pop(key, None)
        self._states[key] = state
        if len(self._states) > self._size:
            del self._states[next(iter(self._states))]

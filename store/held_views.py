"""Records of the views that callers hold, and the limit of views in each event loop, for every kind of store."""

from __future__ import annotations

import asyncio
import weakref
from contextvars import ContextVar

from signalbox.store.errors import NestedView, StoreUnavailable

SLOT_TIMEOUT_S = 10.0
"""Seconds after which a view that waits for a connection fails with StoreUnavailable."""


class HeldView:
    """Records that a view is held, and from which pool.

    `released_later` is true if an opening or a rollback outlives the view and then releases its place in the pool.
    """

    __slots__ = ("held", "outer", "pool", "released_later")

    def __init__(self, pool: object, outer: HeldView | None) -> None:
        self.pool = pool
        self.outer = outer
        self.held = True
        self.released_later = False

    def is_nested(self, pool: object) -> bool:
        """Return whether the caller holds a view of this pool: this view, or one that was requested before it."""
        return (self.held and self.pool is pool) or (self.outer is not None and self.outer.is_nested(pool))


_HELD_VIEW: ContextVar[HeldView | None] = ContextVar("held_view", default=None)


class ViewLimit:
    """Lets at most `size` views of a pool be held in each event loop."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._limits: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore] = (
            weakref.WeakKeyDictionary()
        )

    def new(self, pool: object) -> HeldView:
        """Return the record of a new view of this pool. Raises NestedView if the caller holds one already."""
        outer = _HELD_VIEW.get()
        if outer is not None and not outer.held:
            outer = None
        if outer is not None and outer.is_nested(pool):
            raise NestedView("a view was requested while one is held")
        return HeldView(pool, outer)

    def enter(self, held_view: HeldView) -> None:
        """Record that the caller holds this view."""
        _HELD_VIEW.set(held_view)

    def leave(self, held_view: HeldView) -> None:
        """Record that the caller no longer holds this view."""
        held_view.held = False
        _HELD_VIEW.set(held_view.outer)

    async def acquire_slot(self) -> asyncio.Semaphore:
        """Acquire and return the semaphore of the running loop. Raises StoreUnavailable after a timeout."""
        loop = asyncio.get_running_loop()
        slots = self._limits.get(loop) or self._limits.setdefault(loop, asyncio.Semaphore(self._size))
        if not slots.locked():
            await slots.acquire()
            return slots
        try:
            async with asyncio.timeout(SLOT_TIMEOUT_S):
                await slots.acquire()
        except TimeoutError:
            raise StoreUnavailable(f"all {self._size} connections for reading are in use") from None
        return slots

"""The log of a run, also after `signalbox migrate-store` has moved its store."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

from signalbox.store import Store, StoreError, StoreMoved, StoreUnavailable, open_store
from signalbox.store.log import Log, Remote
from signalbox.store.urls import LEFT_OUT, without_password

MAX_PAUSE_S = 5.0


class RunLog:
    """The present log of a run: the one that it was given, or the store to which that one was moved.

    `notice` is called with a line for the person at the terminal. `on_move` is awaited after each change of `log`,
    before the earlier store is closed. The caller closes the log that it gave.
    """

    def __init__(self, log: Log, notice: Callable[[str], None]) -> None:
        self.log = self._given = log
        self._notice = notice
        self._moving = asyncio.Lock()
        self.on_move: Callable[[], Awaitable[None]] | None = None

    async def follow(self, left: Log, moved: StoreMoved) -> Log:
        """Return the store to which `left` was moved, and make it the log of the run.

        While it cannot be reached, this waits. Raises StoreError if it cannot be opened from here.
        """
        async with self._moving:
            if self.log is left:
                self.log = await self._opened(moved, None if isinstance(left, Remote) else left.bus_url)
                if self.on_move is not None:
                    await self.on_move()
                if left is not self._given:
                    await left.aclose()
            return self.log

    async def _opened(self, moved: StoreMoved, bus: str | None) -> Store:
        if LEFT_OUT in moved.url:
            # The old store has the URL without its password, because other users of the machine can read that store.
            raise moved
        self._notice(f"the store was moved to {without_password(moved.url)}; the run continues there")
        pause = 0.1
        while True:
            try:
                return await asyncio.to_thread(open_store, moved.url, bus=bus)
            except StoreUnavailable as error:
                if pause == 0.1:
                    self._notice(f"{error}; output is kept and recorded later")
            await asyncio.sleep(pause)
            pause = min(pause * 2, MAX_PAUSE_S)

    async def follow_quietly(self, left: Log, moved: StoreMoved) -> None:
        """Do the same as `follow`, but leave errors to the recorder of the run, which meets them too."""
        with suppress(StoreError):
            await self.follow(left, moved)

    async def aclose(self) -> None:
        """Close the store to which the log was moved, if it was moved."""
        if self.log is not self._given:
            await self.log.aclose()

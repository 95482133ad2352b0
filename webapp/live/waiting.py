"""How many permission requests wait for somebody, in all tasks: what every live page shows beside its own matter."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import structlog

from store import Event, Store, StoreError
from store.events import PERMISSION_EVENTS
from webapp.live.lane import RETRY

logger = structlog.get_logger("signalbox.live")


class Waiting:
    """Keeps the count; `tell` is called when it changed."""

    def __init__(self, store: Store, tell: Callable[[], None]) -> None:
        self._store, self._tell = store, tell
        self._stale = True
        self._task: asyncio.Task[None] | None = None
        self.count: int | None = None

    def hear(self, events: Sequence[Event]) -> None:
        """Events of all tasks; none at all may mean that a task was deleted."""
        if not events or any(event.event_type in PERMISSION_EVENTS for event in events):
            self._stale = True
            if self._task is None or self._task.done():
                self._task = asyncio.create_task(self._ask(), name="signalbox-waiting")

    def facts(self) -> dict[str, int]:
        """What a heartbeat says of it."""
        return {} if self.count is None else {"permissions_open": self.count}

    def close(self) -> None:
        """Ask no more."""
        if self._task:
            self._task.cancel()

    async def _ask(self) -> None:
        while self._stale:
            self._stale = False
            try:
                async with self._store.glance() as view:
                    count = await view.count_open_permissions()
            except StoreError as error:
                logger.warning("the open permissions could not be counted", error=str(error))
                self._stale = True
                await asyncio.sleep(RETRY)
                continue
            if count != self.count:
                self.count = count
                self._tell()

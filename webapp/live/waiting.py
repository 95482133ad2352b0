"""How many permission requests wait for somebody: what every live page shows beside its own matter.

Each reader is told of the projects that they see.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Sequence

import structlog

from store import Event, Store, StoreError
from store.events import PERMISSION_EVENTS
from webapp.auth.principal import Projects
from webapp.live.lane import RETRY

logger = structlog.get_logger("signalbox.live")


class Waiting:
    """Keeps the counts of all that `sights` names; `tell` is called with those for whom they changed."""

    def __init__(
        self, store: Store, sights: Callable[[], set[Projects]], tell: Callable[[Collection[Projects]], None]
    ) -> None:
        self._store, self._sights, self._tell = store, sights, tell
        self._stale = True
        self._task: asyncio.Task[None] | None = None
        self._counts: dict[Projects, int] = {}

    def hear(self, events: Sequence[Event]) -> None:
        """Events of all tasks; none at all may mean that a task was deleted."""
        if not events or any(event.event_type in PERMISSION_EVENTS for event in events):
            self._recount()

    def join(self, sight: Projects) -> None:
        """There is one more reader."""
        if sight not in self._counts:
            self._recount()

    def facts(self, sight: Projects) -> dict[str, int]:
        """What a heartbeat says of it."""
        count = self._counts.get(sight)
        return {} if count is None else {"permissions_open": count}

    def close(self) -> None:
        """Ask no more."""
        if self._task:
            self._task.cancel()

    def _recount(self) -> None:
        self._stale = True
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._ask(), name="signalbox-waiting")

    async def _ask(self) -> None:
        while self._stale:
            self._stale = False
            before = self._counts
            counts: dict[Projects, int] = {}
            try:
                for sight in self._sights():
                    async with self._store.glance() as view:
                        counts[sight] = await view.count_open_permissions(sight)
            except StoreError as error:
                logger.warning("the open permissions could not be counted", error=str(error))
                self._stale = True
                await asyncio.sleep(RETRY)
                continue
            self._counts = counts
            changed = {sight for sight, count in counts.items() if before.get(sight) != count}
            if changed:
                self._tell(changed)

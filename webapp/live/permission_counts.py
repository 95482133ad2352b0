"""The number of open permission requests, which every live page shows.

Each reader gets the number for the projects that they may see.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Sequence

from signalbox.store import Event, Store
from signalbox.store.events import PERMISSION_EVENTS
from signalbox.store.loops import Loop
from signalbox.webapp.auth.principal import ProjectIds


class PermissionCounts:
    """Keeps one count for each set of projects in `sights`. Calls `tell` with the sets whose count changed."""

    def __init__(
        self,
        store: Store,
        sights: Callable[[], set[ProjectIds]],
        tell: Callable[[Collection[ProjectIds]], None],
        loop: Loop,
    ) -> None:
        self._store, self._sights, self._tell = store, sights, tell
        self._counts: dict[ProjectIds, int] = {}
        self._stale = asyncio.Event()
        self._task = asyncio.create_task(loop.run(self._recount), name="signalbox-waiting")

    def hear(self, events: Sequence[Event]) -> None:
        """Take new events of all tasks. An empty list may mean that a task was deleted."""
        if not events or any(event.event_type in PERMISSION_EVENTS for event in events):
            self._stale.set()

    def join(self, sight: ProjectIds) -> None:
        """Count for one more reader."""
        if sight not in self._counts:
            self._stale.set()

    def facts(self, sight: ProjectIds) -> dict[str, int]:
        """Return the facts for a page's heartbeat."""
        count = self._counts.get(sight)
        return {} if count is None else {"permissions_open": count}

    def close(self) -> None:
        """Stop counting."""
        self._task.cancel()

    async def _recount(self) -> None:
        await self._stale.wait()
        self._stale.clear()
        before = self._counts
        counts: dict[ProjectIds, int] = {}
        try:
            for sight in self._sights():
                async with self._store.glance() as view:
                    counts[sight] = await view.count_open_permissions(sight)
        except Exception:
            self._stale.set()
            raise
        self._counts = counts
        changed = {sight for sight, count in counts.items() if before.get(sight) != count}
        if changed:
            self._tell(changed)

"""Counts open permission requests for all live pages. Each reader gets the count for the projects that they may see."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Sequence

from signalbox.store import Event, Store
from signalbox.store.events import PERMISSION_EVENTS
from signalbox.store.loops import Loop
from signalbox.webapp.auth.principal import ProjectIds


class PermissionCounts:
    """One count for each set of projects that `project_sets` returns. `on_change` gets the sets whose count changed."""

    def __init__(
        self,
        store: Store,
        project_sets: Callable[[], set[ProjectIds]],
        on_change: Callable[[Collection[ProjectIds]], None],
        loop: Loop,
    ) -> None:
        self._store, self._project_sets, self._on_change = store, project_sets, on_change
        self._counts: dict[ProjectIds, int] = {}
        self._stale = asyncio.Event()
        self._task = asyncio.create_task(loop.run(self._recount), name="signalbox-permission-counts")

    def on_commit(self, events: Sequence[Event]) -> None:
        """Schedule a recount if these new events may change a count. An empty list may mean that a task was deleted."""
        if not events or any(event.event_type in PERMISSION_EVENTS for event in events):
            self._stale.set()

    def join(self, visible_projects: ProjectIds) -> None:
        """Schedule a recount if there is no count for these projects yet."""
        if visible_projects not in self._counts:
            self._stale.set()

    def facts(self, visible_projects: ProjectIds) -> dict[str, int]:
        """Return the fields for the heartbeat of a page: `permissions_open`, once it is counted."""
        count = self._counts.get(visible_projects)
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
            for projects in self._project_sets():
                async with self._store.glance() as view:
                    counts[projects] = await view.count_open_permissions(projects)
        except Exception:
            self._stale.set()
            raise
        self._counts = counts
        changed = {projects for projects, count in counts.items() if before.get(projects) != count}
        if changed:
            self._on_change(changed)

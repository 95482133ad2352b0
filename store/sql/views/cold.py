"""Queries of the tasks in cold storage."""

from __future__ import annotations

from collections.abc import Sequence

from signalbox.store.contract.values import ColdTask
from signalbox.store.sql import task_list
from signalbox.store.sql.dialect import everything, one_of
from signalbox.store.sql.views.base import Rows

COLUMNS = "task_id, identity, stage, place, name, bytes, sha256, events, first_event_id, last_event_id, moved_at"
"""The columns of `cold_tasks` that `ColdTask` takes, in this order."""

ANY_COLD = "SELECT 1 FROM cold_tasks WHERE stage <> 'packing' LIMIT 1"
"""Returns a row if any task is in cold storage. A store without such tasks answers it within a few microseconds."""


class ColdViews(Rows):
    """Implements `ColdReading` of `store.contract`."""

    async def cold_task(self, task_id: str) -> ColdTask | None:
        rows = await self._rows(f"SELECT {COLUMNS} FROM cold_tasks WHERE task_id = ? AND stage <> 'packing'", task_id)
        return ColdTask(*rows[0]) if rows else None

    async def cold_tasks(self, after: str = "", limit: int = 100) -> list[ColdTask]:
        sql = f"SELECT {COLUMNS} FROM cold_tasks WHERE task_id > ? AND stage <> 'packing' ORDER BY task_id LIMIT ?"
        return [ColdTask(*row) for row in await self._rows(sql, after, limit)]

    async def cold_tasks_with_events_after(
        self,
        event_id: int,
        limit: int,
        tasks: Sequence[str] = (),
        projects: Sequence[str] | None = None,
    ) -> list[ColdTask]:
        only, ids = one_of("task_id", tasks) if tasks else everything()
        within, values = task_list.task_in_projects(projects)
        sql = (
            f"SELECT {COLUMNS} FROM cold_tasks WHERE stage <> 'packing' AND last_event_id > ? AND {only} AND {within}"
            " ORDER BY CASE WHEN first_event_id > ? THEN first_event_id ELSE 0 END, first_event_id LIMIT ?"
        )
        rows = await self._rows(sql, event_id, *ids, *values, event_id, limit)
        return [ColdTask(*row) for row in rows]

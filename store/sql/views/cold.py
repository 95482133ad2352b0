"""Queries of the tasks in cold storage."""

from __future__ import annotations

from collections.abc import Sequence

from signalbox.store.contract.values import ColdCounts, ColdTask, MovableTask
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
        self, event_id: int, limit: int, tasks: Sequence[str] = (), projects: Sequence[str] | None = None
    ) -> list[ColdTask]:
        only, ids = one_of("task_id", tasks) if tasks else everything()
        within, values = task_list.task_in_projects(projects)
        sql = (
            f"SELECT {COLUMNS} FROM cold_tasks WHERE stage <> 'packing' AND last_event_id > ? AND {only} AND {within}"
            " ORDER BY CASE WHEN first_event_id > ? THEN first_event_id ELSE 0 END, first_event_id LIMIT ?"
        )
        rows = await self._rows(sql, event_id, *ids, *values, event_id, limit)
        return [ColdTask(*row) for row in rows]

    async def tasks_to_move(self, before: str, after: tuple[str, str], limit: int) -> list[MovableTask]:
        # The condition is that of the index `tasks_to_move`.
        sql = (
            "SELECT t.task_id, c.identity, project_id, kind, active_at FROM (SELECT * FROM tasks WHERE cold IS NULL"
            " AND status IN ('done', 'failed', 'cancelled', 'interrupted') AND hold IS NULL AND active_at < ?"
            " AND (active_at, task_id) > (?, ?) ORDER BY active_at, task_id LIMIT ?) AS t"
            " JOIN task_event_seq_counters c ON c.task_id = t.task_id ORDER BY active_at, t.task_id"
        )
        return [MovableTask(*row) for row in await self._rows(sql, before, *after, limit)]

    async def cold_counts(self) -> ColdCounts:
        sql = (
            "SELECT count(*), coalesce(sum(bytes), 0), coalesce(sum(CASE WHEN stage = 'cold' THEN 0 ELSE 1 END), 0)"
            " FROM cold_tasks"
        )
        return ColdCounts(*map(int, (await self._rows(sql))[0]))

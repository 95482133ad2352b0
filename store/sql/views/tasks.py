"""Queries of tasks: a single task, and the task list."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import msgspec

from signalbox.store.contract import SameError, Standing, TaskPage
from signalbox.store.errors import UnknownTask, UnreadableTask
from signalbox.store.sql import task_list
from signalbox.store.sql.damaged import damaged_task
from signalbox.store.sql.diagnosing import UNDIAGNOSED
from signalbox.store.sql.dialect import Condition
from signalbox.store.sql.views.base import Rows
from signalbox.store.state import Task, Unfinished
from signalbox.store.task_query import SavedView, TaskQuery


class TaskViews(Rows):
    """Implements `OneTaskReading` and `TaskListReading` of `store.contract`."""

    _unfinished: tuple[str, str | None] | None = None

    async def task(self, task_id: str) -> Task:
        columns = task_list.columns(self.dialect)
        lines = "(SELECT lines FROM task_unfinished u WHERE u.task_id = tasks.task_id)"
        rows = await self._rows(f"SELECT {columns}, {lines} FROM tasks WHERE task_id = ?", task_id)
        if not rows:
            raise UnknownTask(task_id)
        # A page needs these lines next, and each query costs a thread switch.
        self._unfinished = (task_id, rows[0][-1])
        return await self._task_of(*rows[0][:-1])

    async def _task_of(self, state: str | bytes, archived_at: str | None, stale: int, task_id: str) -> Task:
        try:
            return task_list.task_of(state, archived_at, stale, task_id)
        except UnreadableTask:
            columns = task_list.damaged_columns(self.dialect)
            rows = await self._rows(f"SELECT {columns} FROM tasks WHERE task_id = ?", task_id)
            return damaged_task(rows[0])

    async def unfinished(self, task_id: str) -> list[Unfinished]:
        if self._unfinished is None or self._unfinished[0] != task_id:
            await self.task(task_id)
        lines = self._unfinished[1] if self._unfinished else None
        return msgspec.json.decode(lines, type=list[Unfinished]) if lines else []

    async def tasks(self, query: TaskQuery) -> TaskPage:
        def one_page(task_ids: Sequence[str] | None) -> Condition:
            return task_list.page(query, self.dialect, self._only(task_ids))

        rows, damaged = await self._rows_of_tasks(one_page, keep=partial(task_list.merged_page, query))
        shown = rows[: query.limit]
        cursor = shown[-1][-1] if len(rows) > len(shown) else None
        tasks = [await self._task_of(*row[:-1]) for row in shown]
        if damaged and task_list.is_unfiltered(query) and not query.before:
            # Their projects and other columns are unknown, so only an unfiltered list shows them.
            tasks = [damaged_task((task_id, *[None] * 8)) for task_id in damaged[: query.limit]] + tasks
        return TaskPage(tasks, cursor, await self.latest_event_id())

    async def count_by_status(
        self, projects: Sequence[str] | None = None, archived: bool | None = None
    ) -> dict[str, int]:
        counts: dict[str, int] = {}
        for status, tasks in await self._counted("status, count(*)", task_list.archive(archived), projects, "status"):
            counts[status] = counts.get(status, 0) + tasks
        return counts

    async def count_stale(self, projects: Sequence[str] | None = None) -> int:
        return await self._count_tasks("stale AND archived_at IS NULL", projects)

    async def count_archived(self, projects: Sequence[str] | None = None) -> int:
        return await self._count_tasks("archived_at IS NOT NULL", projects)

    async def same_error(self, task_id: str, limit: int = 1000) -> SameError | None:
        rows = await self._rows("SELECT fingerprint, project_id FROM tasks WHERE task_id = ?", task_id)
        if not rows or rows[0][0] is None:
            return None
        fingerprint, project_id = rows[0]
        occurrences = (
            "SELECT created_at FROM tasks WHERE fingerprint = ? AND project_id = ? AND archived_at IS NULL"
            " ORDER BY created_at LIMIT ?"
        )
        sql = f"SELECT count(*), min(created_at) FROM ({occurrences}) AS runs"
        ((runs, since),) = await self._rows(sql, fingerprint, project_id, limit + 1)
        return SameError(fingerprint, min(runs, limit), since or "", runs > limit)

    async def undiagnosed(self, limit: int) -> list[str]:
        return [task_id for (task_id,) in await self._rows(UNDIAGNOSED, limit)]

    async def _count_tasks(self, where: str, projects: Sequence[str] | None) -> int:
        return sum(row[0] for row in await self._counted("count(*)", where, projects))

    async def _counted(self, what: str, where: str, projects: Sequence[str] | None, group: str = "") -> list[Any]:
        inside, values = task_list.in_projects(projects)

        def query(task_ids: Sequence[str] | None) -> Condition:
            among, ids = self._only(task_ids)
            sql = f"SELECT {what} FROM tasks WHERE {where} AND {inside} AND {among}"
            return f"{sql} GROUP BY {group}" if group else sql, [*values, *ids]

        return (await self._rows_of_tasks(query))[0]

    async def project_names(self, projects: Sequence[str] | None = None) -> dict[str, str]:
        inside, values = task_list.in_projects(projects)
        return dict(await self._rows(f"SELECT project_id, name FROM projects WHERE {inside} ORDER BY name", *values))

    async def saved_views(self, projects: Sequence[str] | None = None) -> list[SavedView]:
        columns = task_list.SAVED_VIEW_COLUMNS
        rows = await self._rows(f"SELECT {columns} FROM saved_views ORDER BY lower(name), view_id")
        views = [task_list.saved_view_of(row, self.dialect) for row in rows]
        return [one for one in views if projects is None or one.project_id is None or one.project_id in projects]

    async def latest_seqs(self, task_ids: Sequence[str]) -> dict[str, int]:
        def query(task_ids: Sequence[str] | None) -> Condition:
            among, ids = self._only(task_ids)
            return f"SELECT task_id, last_seq FROM task_event_seq_counters WHERE {among}", ids

        return dict((await self._rows_of_tasks(query, task_ids))[0])

    async def standings(self, task_ids: Sequence[str]) -> dict[str, Standing]:
        def query(task_ids: Sequence[str] | None) -> Condition:
            among, ids = self._only(task_ids)
            return (
                "SELECT task_id, c.last_seq, archived_at IS NOT NULL, stale, u.updated_at, c.identity FROM tasks"
                " JOIN task_event_seq_counters c USING (task_id) LEFT JOIN task_unfinished u USING (task_id)"
                f" WHERE {among}"
            ), ids

        def from_counters(task_ids: Sequence[str] | None) -> Condition:
            among, ids = self._only(task_ids)
            columns = "task_id, last_seq, FALSE, FALSE, '', identity"
            return f"SELECT {columns} FROM task_event_seq_counters WHERE {among}", ids

        rows, damaged = await self._rows_of_tasks(query, task_ids)
        if damaged:
            rows += (await self._rows_of_tasks(from_counters, damaged))[0]
        return {
            task_id: Standing(seq, bool(archived), bool(stale), unfinished or "", identity)
            for task_id, seq, archived, stale, unfinished, identity in rows
        }

"""Permission requests: those of one task, and the open ones of all."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

import msgspec

from signalbox.store.sqlite import tasklist
from signalbox.store.sqlite.rows import decode
from signalbox.store.sqlite.views.tasks import TaskViews
from signalbox.store.state import Permission, Task
from signalbox.store.tasklist import place_parts


class PermissionViews(TaskViews):
    """The `TaskPermissionReading` and `PermissionReading` of `store.contract`."""

    async def permission(self, task_id: str, request_id: str) -> Permission | None:
        sql = "SELECT state FROM task_permissions WHERE task_id = ? AND request_id = ?"
        return next(iter(await self._values(Permission, sql, task_id, request_id)), None)

    async def permissions(
        self, task_id: str, *, open_only: bool = True, after: int = 0, limit: int | None = None
    ) -> list[Permission]:
        only = "AND open = 1" if open_only else ""
        sql = f"SELECT state FROM task_permissions WHERE task_id = ? AND seq > ? {only} ORDER BY seq LIMIT ?"
        return await self._values(Permission, sql, task_id, after, -1 if limit is None else limit)

    async def open_permissions(
        self, limit: int = 200, projects: Sequence[str] | None = None, task_id: str | None = None, after: str = ""
    ) -> list[tuple[Task, Permission]]:
        where, values = _asked(projects, task_id)
        if after:
            created_at, of_task, seq = place_parts(after)
            where += " AND (t.created_at, t.task_id, p.seq) > (?, ?, ?)"
            values += [created_at, of_task, seq]
        # Sorted without the states, which may be long.
        rows = await self._rows(
            "SELECT CAST(t.state AS BLOB), t.archived_at, t.stale, t.task_id, CAST(p.state AS BLOB) FROM"
            " (SELECT p.task_id, p.request_id FROM task_permissions p JOIN tasks t USING (task_id)"
            f" WHERE {where} ORDER BY t.created_at, t.task_id, p.seq LIMIT ?)"
            " JOIN tasks t USING (task_id) JOIN task_permissions p USING (task_id, request_id)"
            " ORDER BY t.created_at, t.task_id, p.seq",
            *values,
            limit,
        )
        tasks: dict[str, Task] = {}
        found = []
        for *row, permission in rows:
            task = tasks.get(row[3])
            if task is None:
                task = tasks[row[3]] = await self._task_of(*row)
            with suppress(msgspec.DecodeError):
                found.append((task, decode(Permission, permission)))
        return found

    async def expiring_permissions(
        self, after: tuple[str, str] = ("", ""), limit: int = 1000
    ) -> list[tuple[str, str, int, str, str, str]]:
        return await self._rows(
            "SELECT task_id, request_id, seq, json_extract(state, '$.span_id'), expires_at, coalesce((SELECT"
            " CASE WHEN typeof(t.state) = 'text' AND json_valid(t.state) THEN json_extract(t.state, '$.identity') END"
            " FROM tasks t WHERE t.task_id = p.task_id), '') FROM task_permissions p"
            " WHERE open = 1 AND expires_at IS NOT NULL AND (task_id, request_id) > (?, ?)"
            " ORDER BY task_id, request_id LIMIT ?",
            *after,
            limit,
        )

    async def count_open_permissions(self, projects: Sequence[str] | None = None, task_id: str | None = None) -> int:
        if projects is None and task_id is None:
            return int((await self._rows("SELECT count(*) FROM task_permissions WHERE open = 1"))[0][0])
        where, values = _asked(projects, task_id)
        sql = f"SELECT count(*) FROM task_permissions p JOIN tasks t USING (task_id) WHERE {where}"
        return int((await self._rows(sql, *values))[0][0])


def _asked(projects: Sequence[str] | None, task_id: str | None) -> tuple[str, list[object]]:
    within, values = tasklist.within(projects)
    where = f"p.open = 1 AND {within}"
    return (where, values) if task_id is None else (f"{where} AND p.task_id = ?", [*values, task_id])

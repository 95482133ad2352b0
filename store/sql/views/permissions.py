"""Queries of permission requests: those of one task, and the open ones of all tasks."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Any

import msgspec

from signalbox.store.sql import task_list
from signalbox.store.sql.dialect import Condition
from signalbox.store.sql.rows import decode
from signalbox.store.sql.views.base import UNLIMITED
from signalbox.store.sql.views.tasks import TaskViews
from signalbox.store.state import Permission, Task
from signalbox.store.task_query import permission_cursor_parts


class PermissionViews(TaskViews):
    """Implements `TaskPermissionReading` and `PermissionReading` of `store.contract`."""

    async def permission(self, task_id: str, request_id: str) -> Permission | None:
        sql = "SELECT state FROM task_permissions WHERE task_id = ? AND request_id = ?"
        return next(iter(await self._values(Permission, sql, task_id, self.dialect.stored_key(request_id))), None)

    async def permissions(
        self, task_id: str, *, open_only: bool = True, after: int = 0, limit: int | None = None
    ) -> list[Permission]:
        only = "AND open = 1" if open_only else ""
        sql = f"SELECT state FROM task_permissions WHERE task_id = ? AND seq > ? {only} ORDER BY seq LIMIT ?"
        return await self._values(Permission, sql, task_id, after, UNLIMITED if limit is None else limit)

    async def open_permissions(
        self, limit: int = 200, projects: Sequence[str] | None = None, task_id: str | None = None, after: str = ""
    ) -> list[tuple[Task, Permission]]:
        return await self._readable(self._open_rows, limit, projects, task_id, after)

    async def _open_rows(
        self, limit: int, projects: Sequence[str] | None, task_id: str | None, after: str
    ) -> list[Any]:
        where, values = _asked(projects, task_id)
        if after:
            created_at, of_task, seq = permission_cursor_parts(after)
            where += " AND (t.created_at, t.task_id, p.seq) > (?, ?, ?)"
            values += [created_at, of_task, seq]

        def query(task_ids: Sequence[str] | None) -> Condition:
            among, ids = self._only(task_ids, "p.task_id")
            stored = self.dialect.stored
            # The inner query sorts only keys, because the states may be long.
            return (
                f"SELECT {stored('t.state')}, t.archived_at, t.stale, t.task_id, {stored('p.state')},"
                " t.created_at, p.seq FROM"
                " (SELECT p.task_id, p.request_id FROM task_permissions p JOIN tasks t USING (task_id)"
                f" WHERE {where} AND {among} ORDER BY t.created_at, t.task_id, p.seq LIMIT ?) AS asked"
                " JOIN tasks t USING (task_id) JOIN task_permissions p USING (task_id, request_id)"
                " ORDER BY t.created_at, t.task_id, p.seq"
            ), [*values, *ids, limit]

        def oldest(rows: list[Any]) -> list[Any]:
            return sorted(rows, key=lambda row: (row[5], row[3], row[6]))[:limit]

        return (await self._rows_of_tasks(query, keep=oldest))[0]

    async def closed_permissions(
        self, limit: int = 200, projects: Sequence[str] | None = None, task_id: str | None = None, before: str = ""
    ) -> list[tuple[Task, Permission]]:
        return await self._readable(self._closed_rows, limit, projects, task_id, before)

    async def _closed_rows(
        self, limit: int, projects: Sequence[str] | None, task_id: str | None, before: str
    ) -> list[Any]:
        within, values = task_list.in_projects(projects)
        where = f"p.open = 0 AND p.closed_at IS NOT NULL AND {within}"
        if task_id is not None:
            where, values = f"{where} AND p.task_id = ?", [*values, task_id]
        if before:
            closed_at, of_task, seq = permission_cursor_parts(before, "before")
            where += " AND (p.closed_at, p.task_id, p.seq) < (?, ?, ?)"
            values = [*values, closed_at, of_task, seq]

        def query(task_ids: Sequence[str] | None) -> Condition:
            among, ids = self._only(task_ids, "p.task_id")
            stored, order = self.dialect.stored, "p.closed_at DESC, p.task_id DESC, p.seq DESC"
            return (
                f"SELECT {stored('t.state')}, t.archived_at, t.stale, t.task_id, {stored('p.state')}, p.closed_at,"
                " p.seq FROM (SELECT p.task_id, p.request_id FROM task_permissions p JOIN tasks t USING (task_id)"
                f" WHERE {where} AND {among} ORDER BY {order} LIMIT ?) AS answered"
                f" JOIN tasks t USING (task_id) JOIN task_permissions p USING (task_id, request_id) ORDER BY {order}"
            ), [*values, *ids, limit]

        def newest(rows: list[Any]) -> list[Any]:
            return sorted(rows, key=lambda row: (row[5], row[3], row[6]), reverse=True)[:limit]

        return (await self._rows_of_tasks(query, keep=newest))[0]

    async def _readable(
        self,
        read: Callable[[int, Sequence[str] | None, str | None, str], Awaitable[list[Any]]],
        limit: int,
        projects: Sequence[str] | None,
        task_id: str | None,
        cursor: str,
    ) -> list[tuple[Task, Permission]]:
        """Return the task and the request of `limit` rows after a cursor. Requests that cannot be read are left out."""
        tasks: dict[str, Task] = {}
        found: list[tuple[Task, Permission]] = []
        while True:
            wanted = limit - len(found)
            rows = await read(wanted, projects, task_id, cursor)
            for *row, permission, _, _ in rows:
                task = tasks.get(row[3])
                if task is None:
                    task = tasks[row[3]] = await self._task_of(*row)
                with suppress(msgspec.DecodeError):
                    found.append((task, decode(Permission, permission)))
            if len(rows) < wanted or len(found) == limit:
                return found
            at, seq = rows[-1][5:]
            cursor = f"{at}~{rows[-1][3]}~{seq}"

    async def expiring_permissions(
        self, after: tuple[str, str] = ("", ""), limit: int = 1000
    ) -> list[tuple[str, str, int, str, str, str]]:
        def query(task_ids: Sequence[str] | None) -> Condition:
            among, ids = self._only(task_ids)
            text = self.dialect.json_text
            return (
                f"SELECT task_id, {text('state', 'request_id')}, seq, {text('state', 'span_id')}, expires_at,"
                " coalesce((SELECT identity FROM task_event_seq_counters c WHERE c.task_id = p.task_id), '')"
                " FROM task_permissions p"
                f" WHERE open = 1 AND expires_at IS NOT NULL AND (task_id, request_id) > (?, ?) AND {among}"
                " ORDER BY task_id, request_id LIMIT ?"
            ), [after[0], self.dialect.stored_key(after[1]), *ids, limit]

        def first(rows: list[Any]) -> list[Any]:
            return sorted(rows, key=lambda row: row[:2])[:limit]

        rows, _ = await self._rows_of_tasks(query, keep=first)
        return [(task_id, self.dialect.restored(request_id), *rest) for task_id, request_id, *rest in rows]

    async def count_open_permissions(self, projects: Sequence[str] | None = None, task_id: str | None = None) -> int:
        where, values = _asked(projects, task_id)
        table = "task_permissions p" if projects is None else "task_permissions p JOIN tasks t USING (task_id)"

        def query(task_ids: Sequence[str] | None) -> Condition:
            among, ids = self._only(task_ids, "p.task_id")
            return f"SELECT count(*) FROM {table} WHERE {where} AND {among}", [*values, *ids]

        return sum(row[0] for row in (await self._rows_of_tasks(query))[0])


def _asked(projects: Sequence[str] | None, task_id: str | None) -> Condition:
    within, values = task_list.in_projects(projects)
    where = f"p.open = 1 AND {within}"
    return (where, values) if task_id is None else (f"{where} AND p.task_id = ?", [*values, task_id])

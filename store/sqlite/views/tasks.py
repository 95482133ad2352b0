"""Tasks, where their logs stand, and what is asked of all of them together: lists, counts, the inbox, audits."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import msgspec

from signalbox.store.contract import Head, Standing, TaskPage
from signalbox.store.errors import UnknownTask, UnreadableTask
from signalbox.store.sqlite import listing, tasklist
from signalbox.store.sqlite.damaged import TASK_COLUMNS, damaged_task, detail_of
from signalbox.store.sqlite.rows import decode
from signalbox.store.sqlite.tasklist import TASK, task_of
from signalbox.store.sqlite.views.base import Rows
from signalbox.store.state import Permission, Task, Unfinished
from signalbox.store.tasklist import SavedView, TaskQuery, place_parts


class Tasks(Rows):
    """The tasks of `store.contract.Reading`."""

    _unfinished: tuple[str, str | None] | None = None

    async def task(self, task_id: str) -> Task:
        lines = "(SELECT lines FROM task_unfinished u WHERE u.task_id = tasks.task_id)"
        rows = await self._rows(f"SELECT {TASK}, {lines} FROM tasks WHERE task_id = ?", task_id)
        if not rows:
            raise UnknownTask(task_id)
        # A page asks for these next, and each question to the connection costs a change of threads.
        self._unfinished = (task_id, rows[0][-1])
        return await self._task_of(*rows[0][:-1])

    async def _task_of(self, state: bytes, archived_at: str | None, stale: int, task_id: str) -> Task:
        try:
            return task_of(state, archived_at, stale, task_id)
        except UnreadableTask:
            rows = await self._rows(f"SELECT {TASK_COLUMNS} FROM tasks WHERE task_id = ?", task_id)
            return damaged_task(rows[0])

    async def unfinished(self, task_id: str) -> list[Unfinished]:
        if self._unfinished is None or self._unfinished[0] != task_id:
            await self.task(task_id)
        lines = self._unfinished[1] if self._unfinished else None
        return msgspec.json.decode(lines, type=list[Unfinished]) if lines else []

    async def tasks(self, query: TaskQuery) -> TaskPage:
        sql, values = tasklist.page(query)
        rows = await self._rows(sql, *values)
        shown = rows[: query.limit]
        cursor = shown[-1][-1] if len(rows) > len(shown) else None
        return TaskPage([await self._task_of(*row[:-1]) for row in shown], cursor, await self.latest_event_id())

    async def count_by_status(
        self, projects: Sequence[str] | None = None, archived: bool | None = None
    ) -> dict[str, int]:
        inside, values = tasklist.within(projects)
        where = f"{tasklist.archive(archived)} AND {inside}"
        return dict(await self._rows(f"SELECT status, count(*) FROM tasks WHERE {where} GROUP BY status", *values))

    async def count_stale(self, projects: Sequence[str] | None = None) -> int:
        return await self._count_tasks("stale AND archived_at IS NULL", projects)

    async def count_archived(self, projects: Sequence[str] | None = None) -> int:
        return await self._count_tasks("archived_at IS NOT NULL", projects)

    async def _count_tasks(self, where: str, projects: Sequence[str] | None) -> int:
        inside, values = tasklist.within(projects)
        return int((await self._rows(f"SELECT count(*) FROM tasks WHERE {where} AND {inside}", *values))[0][0])

    async def project_names(self, projects: Sequence[str] | None = None) -> dict[str, str]:
        inside, values = tasklist.within(projects)
        return dict(await self._rows(f"SELECT project_id, name FROM projects WHERE {inside} ORDER BY name", *values))

    async def saved_views(self, projects: Sequence[str] | None = None) -> list[SavedView]:
        views = [listing.view_of(*row) for row in await self._rows("SELECT * FROM saved_views ORDER BY name")]
        return [one for one in views if projects is None or one.project_id is None or one.project_id in projects]

    async def head(self, task_id: str) -> Head:
        rows = await self._rows(
            "SELECT last_seq, coalesce((SELECT min(seq) FROM task_events WHERE task_id = c.task_id), last_seq + 1),"
            " identity"
            " FROM task_event_seq_counters c WHERE task_id = ?",
            task_id,
        )
        if not rows:
            raise UnknownTask(task_id)
        return Head(*rows[0])

    async def latest_seqs(self, task_ids: Sequence[str]) -> dict[str, int]:
        wanted = msgspec.json.encode(list(task_ids)).decode()
        rows = await self._rows(
            "SELECT task_id, last_seq FROM task_event_seq_counters WHERE task_id IN (SELECT value FROM json_each(?))",
            wanted,
        )
        return dict(rows)

    async def standings(self, task_ids: Sequence[str]) -> dict[str, Standing]:
        wanted = msgspec.json.encode(list(task_ids)).decode()
        rows = await self._rows(
            "SELECT task_id, last_seq, archived_at IS NOT NULL, stale, u.updated_at, identity FROM tasks"
            " JOIN task_event_seq_counters USING (task_id) LEFT JOIN task_unfinished u USING (task_id)"
            " WHERE task_id IN (SELECT value FROM json_each(?))",
            wanted,
        )
        return {
            task_id: Standing(seq, bool(archived), bool(stale), unfinished or "", identity)
            for task_id, seq, archived, stale, unfinished, identity in rows
        }

    async def latest_event_id(self) -> int:
        rows = await self._rows("SELECT seq FROM sqlite_sequence WHERE name = 'task_events'")
        return int(rows[0][0]) if rows else 0

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

    async def audited_identity(self, task_id: str, projects: Sequence[str] | None = None) -> str | None:
        within, values = tasklist.within(projects)
        sql = f"SELECT identity FROM task_audits WHERE task_id = ? AND {within} ORDER BY audit_id DESC LIMIT 1"
        rows = await self._rows(sql, task_id, *values)
        return rows[0][0] if rows else None

    async def audits(
        self,
        task_id: str | None = None,
        limit: int = 200,
        before: int | None = None,
        projects: Sequence[str] | None = None,
        *,
        identity: str | None = None,
    ) -> list[dict[str, Any]]:
        names = (
            *("audit_id", "at", "actor", "account_id", "token_id", "action"),
            *("task_id", "project_id", "seq", "source", "detail"),
        )
        where = {"task_id = ?": task_id, "identity = ?": identity, "audit_id < ?": before}
        wanted = {condition: value for condition, value in where.items() if value is not None}
        within, values = tasklist.within(projects)
        rows = await self._rows(
            f"SELECT {', '.join(names)} FROM task_audits WHERE {' AND '.join([*wanted, within])}"
            " ORDER BY audit_id DESC LIMIT ?",
            *wanted.values(),
            *values,
            limit,
        )
        return [dict(zip(names, (*row[:-1], detail_of(row[-1])), strict=True)) for row in rows]


def _asked(projects: Sequence[str] | None, task_id: str | None) -> tuple[str, list[object]]:
    within, values = tasklist.within(projects)
    where = f"p.open = 1 AND {within}"
    return (where, values) if task_id is None else (f"{where} AND p.task_id = ?", [*values, task_id])

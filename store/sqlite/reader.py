"""Read-only views: each is one transaction on a borrowed aiosqlite connection, so all its answers agree."""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiosqlite
import msgspec

from store.contract import Head, LogHits, LogQuery, Standing, TaskPage
from store.errors import StoreClosed, UnknownTask
from store.events import Event
from store.sqlite import listing, search, tasklist
from store.sqlite.connection import BUSY_TIMEOUT, translated_errors, uri
from store.sqlite.rows import COLUMNS, decode, event_of
from store.sqlite.tasklist import TASK, task_of
from store.state import Checkpoint, Permission, Phase, Span, Task
from store.tasklist import SavedView, TaskQuery

MAX_READERS = 8
"""Connections of one process; a ninth view waits."""


class Readers:
    """A pool of read-only connections to one file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._idle: list[aiosqlite.Connection] = []
        self._closed = False
        self._limits: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore] = (
            weakref.WeakKeyDictionary()
        )

    @asynccontextmanager
    async def view(self, *, consistent: bool = True) -> AsyncIterator[View]:
        """A view of the database; if `consistent`, all its answers are of one moment."""
        if self._closed:
            raise StoreClosed("the store is closed")
        limit = self._limits.setdefault(asyncio.get_running_loop(), asyncio.Semaphore(MAX_READERS))
        async with limit:
            connection = self._idle.pop() if self._idle else await self._open()
            try:
                with translated_errors():
                    if consistent:
                        await connection.execute_fetchall("BEGIN")
                    yield View(connection)
                    if consistent:
                        await connection.execute_fetchall("COMMIT")
            except BaseException:
                await connection.close()
                raise
            if self._closed:
                await connection.close()
            else:
                self._idle.append(connection)

    async def _open(self) -> aiosqlite.Connection:
        with translated_errors():
            # Not to be cancelled half-way: aiosqlite's thread would answer into a loop that is gone.
            connection = await asyncio.shield(
                aiosqlite.connect(uri(self._path, read_only=True), uri=True, timeout=BUSY_TIMEOUT, isolation_level=None)
            )
            await connection.execute_fetchall("PRAGMA mmap_size = 268435456")
        return connection

    async def rows(self, sql: str, *values: object) -> list[Any]:
        """The rows of one question."""
        async with self.view(consistent=False) as view:
            return await view._rows(sql, *values)

    async def close(self) -> None:
        """Close all idle connections; borrowed ones close when they come back."""
        self._closed = True
        while self._idle:
            await self._idle.pop().close()

    def stop(self) -> None:
        """`close` for callers without a loop."""
        self._closed = True
        while self._idle:
            self._idle.pop().stop()


class View:
    """The `Reading` of SQLite; see `store.contract`."""

    def __init__(self, connection: aiosqlite.Connection) -> None:
        self._connection = connection

    async def _rows(self, sql: str, *values: object) -> list[Any]:
        return list(await self._connection.execute_fetchall(sql, values))

    async def _values(self, kind: type[Any], sql: str, *values: object) -> list[Any]:
        return [decode(kind, row[0]) for row in await self._rows(sql, *values)]

    async def _events(self, where: str, *values: object) -> list[Event]:
        return [event_of(row) for row in await self._rows(f"SELECT {COLUMNS} FROM task_events WHERE {where}", *values)]

    # tasks

    async def task(self, task_id: str) -> Task:
        rows = await self._rows(f"SELECT {TASK} FROM tasks WHERE task_id = ?", task_id)
        if not rows:
            raise UnknownTask(task_id)
        return task_of(*rows[0])

    async def tasks(self, query: TaskQuery) -> TaskPage:
        sql, values = tasklist.page(query)
        rows = await self._rows(sql, *values)
        shown = rows[: query.limit]
        cursor = shown[-1][-1] if len(rows) > len(shown) else None
        return TaskPage([task_of(*row[:-1]) for row in shown], cursor, await self.latest_event_id())

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

    async def saved_views(self) -> list[SavedView]:
        return [listing.view_of(*row) for row in await self._rows("SELECT * FROM saved_views ORDER BY name")]

    async def head(self, task_id: str) -> Head:
        rows = await self._rows(
            "SELECT last_seq, coalesce((SELECT min(seq) FROM task_events WHERE task_id = c.task_id), last_seq + 1)"
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
            "SELECT task_id, last_seq, archived_at IS NOT NULL, stale FROM tasks JOIN task_event_seq_counters"
            " USING (task_id) WHERE task_id IN (SELECT value FROM json_each(?))",
            wanted,
        )
        return {task_id: Standing(seq, bool(archived), bool(stale)) for task_id, seq, archived, stale in rows}

    async def latest_event_id(self) -> int:
        rows = await self._rows("SELECT seq FROM sqlite_sequence WHERE name = 'task_events'")
        return int(rows[0][0]) if rows else 0

    # the log

    async def events(self, task_id: str, since_seq: int = 0, limit: int = 100) -> list[Event]:
        return await self._events("task_id = ? AND seq > ? ORDER BY seq LIMIT ?", task_id, since_seq, limit)

    async def telling_events(self, task_id: str, since_seq: int, until_seq: int, limit: int) -> list[Event]:
        where = "task_id = ? AND seq > ? AND seq <= ? AND quiet IS NULL ORDER BY seq LIMIT ?"
        return await self._events(where, task_id, since_seq, until_seq, limit)

    async def times(self, task_id: str, since_seq: int, until_seq: int) -> list[str]:
        # As one value: a row for each would take three times as long. LIMIT: so that the order is that of the stretch.
        stretch = "SELECT created_at FROM task_events WHERE task_id = ? AND seq > ? AND seq <= ? ORDER BY seq LIMIT -1"
        sql = f"SELECT json_group_array(created_at) FROM ({stretch})"
        return decode(list[str], (await self._rows(sql, task_id, since_seq, until_seq))[0][0])

    async def events_after(
        self, event_id: int, limit: int = 1000, tasks: Sequence[str] = (), projects: Sequence[str] | None = None
    ) -> list[Event]:
        only = f"AND task_id IN ({', '.join('?' * len(tasks))})" if tasks else ""
        within, values = _tasks_within(projects)
        where = f"event_id > ? {only} AND {within} ORDER BY event_id LIMIT ?"
        return await self._events(where, event_id, *tasks, *values, limit)

    async def latest_events(self, task_id: str, limit: int = 50, before: int | None = None) -> list[Event]:
        below = 2**62 if before is None else before
        return await self._events("task_id = ? AND seq < ? ORDER BY seq DESC LIMIT ?", task_id, below, limit)

    async def events_of_phase(self, task_id: str, phase: str, limit: int = 100) -> list[Event]:
        return await self._events("task_id = ? AND phase = ? ORDER BY seq LIMIT ?", task_id, phase, limit)

    async def events_of_types(
        self, task_id: str, types: Sequence[str], limit: int = 1000, *, naming: str = ""
    ) -> list[Event]:
        marks = ", ".join("?" * len(types))
        where, values = search.naming(naming)
        return await self._events(
            f"task_id = ? AND event_type IN ({marks}) AND {where} ORDER BY seq LIMIT ?", task_id, *types, *values, limit
        )

    async def events_at(self, task_id: str, seqs: Sequence[int]) -> list[Event]:
        wanted = msgspec.json.encode(list(seqs)).decode()
        return await self._events(
            "task_id = ? AND seq IN (SELECT value FROM json_each(?)) ORDER BY seq", task_id, wanted
        )

    async def search(self, task_id: str, query: LogQuery, after: int = 0, limit: int = 100) -> LogHits:
        where, values = search.conditions(task_id, query)
        (total,), *seqs = await self._rows(search.HITS.format(where=where), *values, after, limit + 1)
        page = await self.events_at(task_id, [seq for (seq,) in seqs[:limit]])
        return LogHits(page, total, len(seqs) > limit)

    async def next_failure(self, task_id: str, after: int) -> int | None:
        rows = await self._rows(
            "SELECT seq FROM task_events WHERE task_id = ? AND seq > ? AND failure ORDER BY seq LIMIT 1", task_id, after
        )
        return rows[0][0] if rows else None

    async def first_seq_at(self, task_id: str, at: str) -> int | None:
        rows = await self._rows(
            "SELECT seq FROM task_events WHERE task_id = ? AND created_at >= ? ORDER BY created_at, seq LIMIT 1",
            task_id,
            at,
        )
        return rows[0][0] if rows else None

    # projections

    async def phases(self, task_id: str) -> list[Phase]:
        return await self._values(Phase, "SELECT state FROM task_phases WHERE task_id = ? ORDER BY first_seq", task_id)

    async def spans(self, task_id: str, after: int = 0, limit: int | None = None) -> list[Span]:
        return await self._values(
            Span,
            "SELECT state FROM task_spans WHERE task_id = ? AND started_seq > ? ORDER BY started_seq LIMIT ?",
            task_id,
            after,
            -1 if limit is None else limit,
        )

    async def open_spans(self, task_id: str, limit: int = 1000) -> list[Span]:
        return await self._values(
            Span,
            "SELECT state FROM task_spans WHERE task_id = ? AND open = 1 ORDER BY started_seq LIMIT ?",
            task_id,
            limit,
        )

    async def span_window(self, task_id: str, open_limit: int, ended_limit: int) -> list[Span]:
        return await self._values(
            Span,
            """
            WITH RECURSIVE chosen (span_id, parent_span_id) AS (
              SELECT * FROM (SELECT span_id, parent_span_id FROM task_spans
                WHERE task_id = ?1 AND open = 1 ORDER BY started_seq DESC LIMIT ?2)
              UNION
              SELECT * FROM (SELECT span_id, parent_span_id FROM task_spans
                WHERE task_id = ?1 AND ended_seq IS NOT NULL ORDER BY ended_seq DESC, span_id DESC LIMIT ?3)
              UNION
              SELECT * FROM (SELECT span_id, parent_span_id FROM task_spans
                WHERE task_id = ?1 AND open = 0 AND ended_seq IS NULL ORDER BY started_seq LIMIT ?3)
              UNION
              SELECT s.span_id, s.parent_span_id FROM chosen
                JOIN task_spans s ON s.task_id = ?1 AND s.span_id = chosen.parent_span_id
            )
            -- CROSS: the few chosen ones first, then each by its key, never all spans of the task.
            SELECT s.state FROM chosen CROSS JOIN task_spans s ON s.task_id = ?1 AND s.span_id = chosen.span_id
            ORDER BY s.started_seq
            """,
            task_id,
            open_limit,
            ended_limit,
        )

    async def span(self, task_id: str, span_id: str) -> Span | None:
        found: list[Span] = await self._values(
            Span, "SELECT state FROM task_spans WHERE task_id = ? AND span_id = ?", task_id, span_id
        )
        return found[0] if found else None

    async def span_children(self, task_id: str, span_id: str, limit: int) -> list[Span]:
        return await self._values(
            Span,
            "SELECT state FROM task_spans WHERE task_id = ? AND parent_span_id = ? ORDER BY started_seq LIMIT ?",
            task_id,
            span_id,
            limit,
        )

    async def spans_changed(self, task_id: str, since_seq: int, limit: int) -> list[Span]:
        return await self._values(
            Span,
            "SELECT state FROM task_spans WHERE task_id = ? AND changed_seq > ? ORDER BY started_seq LIMIT ?",
            task_id,
            since_seq,
            limit,
        )

    async def checkpoints(self, task_id: str, limit: int = 1000) -> list[Checkpoint]:
        found = await self._values(
            Checkpoint,
            "SELECT state FROM task_checkpoints WHERE task_id = ? ORDER BY seq DESC LIMIT ?",
            task_id,
            limit,
        )
        return found[::-1]

    async def checkpoint(self, task_id: str, checkpoint_id: str) -> Checkpoint | None:
        sql = "SELECT state FROM task_checkpoints WHERE task_id = ? AND checkpoint_id = ?"
        return next(iter(await self._values(Checkpoint, sql, task_id, checkpoint_id)), None)

    async def permission(self, task_id: str, request_id: str) -> Permission | None:
        sql = "SELECT state FROM task_permissions WHERE task_id = ? AND request_id = ?"
        return next(iter(await self._values(Permission, sql, task_id, request_id)), None)

    async def permissions(self, task_id: str, *, open_only: bool = True) -> list[Permission]:
        only = "AND open = 1" if open_only else ""
        return await self._values(
            Permission, f"SELECT state FROM task_permissions WHERE task_id = ? {only} ORDER BY seq", task_id
        )

    async def open_permissions(
        self, limit: int = 200, projects: Sequence[str] | None = None
    ) -> list[tuple[Task, Permission]]:
        within, values = tasklist.within(projects)
        rows = await self._rows(
            "SELECT t.state, t.archived_at, t.stale, p.state FROM task_permissions p JOIN tasks t USING (task_id)"
            f" WHERE p.open = 1 AND {within} ORDER BY t.created_at, p.seq LIMIT ?",
            *values,
            limit,
        )
        return [(task_of(*task), decode(Permission, permission)) for *task, permission in rows]

    async def count_open_permissions(self, projects: Sequence[str] | None = None) -> int:
        if projects is None:
            return int((await self._rows("SELECT count(*) FROM task_permissions WHERE open = 1"))[0][0])
        within, values = tasklist.within(projects)
        rows = await self._rows(
            f"SELECT count(*) FROM task_permissions JOIN tasks USING (task_id) WHERE open = 1 AND {within}", *values
        )
        return int(rows[0][0])

    async def audits(
        self,
        task_id: str | None = None,
        limit: int = 200,
        before: int | None = None,
        projects: Sequence[str] | None = None,
    ) -> list[dict[str, Any]]:
        names = ("audit_id", "at", "actor", "action", "task_id", "seq", "source", "detail")
        where = {"task_id = ?": task_id, "audit_id < ?": before}
        wanted = {condition: value for condition, value in where.items() if value is not None}
        within, values = _tasks_within(projects)
        rows = await self._rows(
            f"SELECT {', '.join(names)} FROM task_audits WHERE {' AND '.join([*wanted, within])}"
            " ORDER BY audit_id DESC LIMIT ?",
            *wanted.values(),
            *values,
            limit,
        )
        return [dict(zip(names, (*row[:-1], msgspec.json.decode(row[-1])), strict=True)) for row in rows]


def _tasks_within(projects: Sequence[str] | None) -> tuple[str, list[object]]:
    within, values = tasklist.within(projects)
    return within if projects is None else f"task_id IN (SELECT task_id FROM tasks WHERE {within})", values

"""Queries of the space that tasks take."""

from __future__ import annotations

from abc import abstractmethod

from signalbox.store.contract.reading.space import (
    EVENT_BYTES,
    PAYLOAD_FACTOR,
    ChangedSize,
    DatabaseSpace,
    EndedTask,
    KindSpace,
    TaskSize,
)
from signalbox.store.sql.damaged import text_or_nothing
from signalbox.store.sql.views.base import Rows

FIRST_EVENTS = 100
"""Events whose origins tell whether a log was imported."""

RETENTION_FACT = "retention"
"""The row of `store_facts` with the state of retention."""


class SpaceViews(Rows):
    """Implements `SpaceReading` of `store.contract`, except `database_space`."""

    async def changed_sizes(self, after: str, limit: int) -> list[ChangedSize]:
        rows = await self._rows(
            "SELECT c.task_id, c.identity, c.last_seq, s.identity, s.seq, s.bytes, s.artifacts, s.ended_at"
            " FROM task_event_seq_counters c LEFT JOIN task_sizes s ON s.task_id = c.task_id"
            " WHERE c.task_id > ? AND (s.seq IS NULL OR s.seq <> c.last_seq OR s.identity <> c.identity)"
            " ORDER BY c.task_id LIMIT ?",
            after,
            limit,
        )
        return [
            ChangedSize(task_id, identity, last_seq, TaskSize(task_id, *size) if size[0] == identity else None)
            for task_id, identity, last_seq, *size in rows
        ]

    async def log_bytes(self, task_id: str, since_seq: int, until_seq: int) -> int:
        size = self.dialect.stored_bytes
        ((events, payloads),) = await self._rows(
            f"SELECT count(*), coalesce(sum({size('payload')} + coalesce({size('plain')}, 0)), 0) FROM task_events"
            " WHERE task_id = ? AND seq > ? AND seq <= ?",
            task_id,
            since_seq,
            until_seq,
        )
        return int(EVENT_BYTES * events + PAYLOAD_FACTOR * int(payloads))

    async def artifact_bytes(self, task_id: str) -> int:
        sql = (
            "SELECT coalesce(sum(size), 0) FROM artifact_contents WHERE sha256 IN"
            " (SELECT sha256 FROM task_artifacts WHERE task_id = ?)"
        )
        return int((await self._rows(sql, task_id))[0][0])

    async def is_imported(self, task_id: str) -> bool:
        # Claims keep having no origin.
        first = f"SELECT origin FROM task_events WHERE task_id = ? ORDER BY seq LIMIT {FIRST_EVENTS}"
        return bool(await self._rows(f"SELECT 1 FROM ({first}) AS oldest WHERE origin = 'import' LIMIT 1", task_id))

    async def ended_tasks(self, before: str, after: tuple[str, str], limit: int) -> list[EndedTask]:
        rows = await self._rows(
            "SELECT s.task_id, s.identity, s.seq, t.project_id, t.kind, s.ended_at, s.bytes + s.artifacts,"
            " t.cold IS NOT NULL FROM task_sizes s JOIN tasks t ON t.task_id = s.task_id"
            " WHERE s.ended_at IS NOT NULL AND s.ended_at < ? AND (s.ended_at, s.task_id) > (?, ?) AND t.hold IS NULL"
            " ORDER BY s.ended_at, s.task_id LIMIT ?",
            before,
            *after,
            limit,
        )
        return [
            EndedTask(task_id, identity, seq, project_id, text_or_nothing(kind) or None, ended_at, size, bool(cold))
            for task_id, identity, seq, project_id, kind, ended_at, size, cold in rows
        ]

    async def space_by_kind(self) -> list[KindSpace]:
        # The sizes are summed by task id first, so that the rows of `tasks`, which are long, are read from an index.
        rows = await self._rows(
            "SELECT t.project_id, t.kind, count(*), count(t.hold),"
            " coalesce(sum(CASE WHEN t.cold IS NULL THEN s.bytes END), 0),"
            " coalesce(sum(CASE WHEN t.cold IS NULL THEN s.artifacts END), 0),"
            " count(t.cold), coalesce(sum(CASE WHEN t.cold IS NOT NULL THEN c.bytes END), 0)"
            " FROM tasks t LEFT JOIN task_sizes s ON s.task_id = t.task_id"
            " LEFT JOIN cold_tasks c ON c.task_id = t.task_id GROUP BY t.project_id, t.kind"
        )
        found = [KindSpace(row[0], text_or_nothing(row[1]) or None, *map(int, row[2:])) for row in rows]
        return sorted(found, key=lambda one: (-(one.bytes + one.artifacts + one.cold_bytes), one.project_id))

    @abstractmethod
    async def database_space(self) -> DatabaseSpace:
        """Return the size of the database."""

    async def space_samples(self) -> list[tuple[str, str]]:
        return [(day, space) for day, space in await self._rows("SELECT day, space FROM space_samples ORDER BY day")]

    async def removals(self) -> int:
        return int((await self._rows("SELECT count(*) FROM task_removals"))[0][0])

    async def retention_state(self) -> str:
        rows = await self._rows("SELECT value FROM store_facts WHERE name = ?", RETENTION_FACT)
        return str(rows[0][0]) if rows else ""

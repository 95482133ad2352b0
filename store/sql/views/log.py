"""Queries of events: the log of one task, and the log of all tasks."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence

from signalbox.store.contract import Head, LogHits, LogQuery
from signalbox.store.errors import UnknownTask
from signalbox.store.events import Event
from signalbox.store.sql import damaged, heartbeats, search, task_list
from signalbox.store.sql.diagnosing import FAILURES, LAST_FAILURE
from signalbox.store.sql.dialect import everything, one_of
from signalbox.store.sql.removal import PRESENT
from signalbox.store.sql.rows import COLUMNS_WITH_IDENTITY, events_with_identity_of, in_thread_if_long
from signalbox.store.sql.views.base import Rows
from signalbox.store.state import TaskState

_FIRST_OCCURRED = (
    "SELECT occurred_at, event_id, seq FROM task_events WHERE task_id = ? AND occurred_at >= ?"
    " ORDER BY occurred_at, event_id LIMIT 1"
)
_FIRST_CREATED = (
    "SELECT created_at, event_id, seq FROM task_events WHERE task_id = ? AND created_at >= ? AND created_at <= ?"
    " AND occurred_at IS NULL ORDER BY created_at, event_id LIMIT 1"
)

_LAST_TIME = "9999-12-31T23:59:59.999999Z"


class LogViews(Rows):
    """Implements `TaskLogReading` and `LogReading` of `store.contract`, except `times`."""

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

    async def events(self, task_id: str, since_seq: int = 0, limit: int = 100) -> list[Event]:
        return await self._events("task_id = ? AND seq > ? ORDER BY seq LIMIT ?", task_id, since_seq, limit)

    async def changing_events(self, task_id: str, since_seq: int, until_seq: int, limit: int) -> list[Event]:
        where = "task_id = ? AND seq > ? AND seq <= ? AND quiet IS NULL ORDER BY seq LIMIT ?"
        return await self._events(where, task_id, since_seq, until_seq, limit)

    async def folded_state(self, task_id: str, seq: int, after: int = 0) -> TaskState | None:
        return None

    async def events_after(
        self, event_id: int, limit: int = 1000, tasks: Sequence[str] = (), projects: Sequence[str] | None = None
    ) -> list[Event]:
        only, ids = one_of("task_id", tasks) if tasks else everything()
        within, values = task_list.task_in_projects(projects)
        where = f"event_id > ? AND {only} AND {within} AND {PRESENT} ORDER BY event_id LIMIT ?"
        sql = f"SELECT {COLUMNS_WITH_IDENTITY} FROM task_events WHERE {where}"
        rows = await self._rows(sql, event_id, *ids, *values, limit)
        return await in_thread_if_long(events_with_identity_of, rows)

    async def latest_events(self, task_id: str, limit: int = 50, before: int | None = None) -> list[Event]:
        below = 2**62 if before is None else before
        return await self._events("task_id = ? AND seq < ? ORDER BY seq DESC LIMIT ?", task_id, below, limit)

    async def rows_before(self, task_id: str, before: int, limit: int = 100, since: int = 0) -> list[Event]:
        streaks = await self._rows(heartbeats.BEFORE, task_id, before, since, limit + 1)
        ranges = heartbeats.row_ranges_before(before, since, streaks, limit)
        return await self._ranges(task_id, ranges[::-1])

    async def rows_after(self, task_id: str, since_seq: int, limit: int = 100) -> list[Event]:
        streaks = await self._rows(heartbeats.AFTER, task_id, task_id, since_seq, limit + 2)
        return await self._ranges(task_id, heartbeats.row_ranges_after(since_seq, streaks, limit))

    async def count_rows(self, task_id: str, until_seq: int) -> int:
        counts = await self._rows(heartbeats.COUNT, until_seq, until_seq, task_id, until_seq)
        return until_seq - (counts[0][0] if counts else 0)

    async def _ranges(self, task_id: str, ranges: Sequence[heartbeats.SeqRange]) -> list[Event]:
        if not ranges:
            return []
        if len(ranges) == 1:
            return await self._events("task_id = ? AND seq BETWEEN ? AND ? ORDER BY seq", task_id, *ranges[0])
        return await self._events_in(task_id, ranges)

    @abstractmethod
    async def _events_in(self, task_id: str, ranges: Sequence[heartbeats.SeqRange]) -> list[Event]:
        """Return the events whose seq is in one of these ranges, in the order of the ranges."""

    async def events_of_phase(self, task_id: str, phase: str, limit: int = 100, since_seq: int = 0) -> list[Event]:
        where = "task_id = ? AND phase = ? AND seq > ? ORDER BY seq LIMIT ?"
        return await self._events(where, task_id, phase, since_seq, limit)

    async def events_of_types(
        self, task_id: str, types: Sequence[str], limit: int = 1000, *, naming: str = "", after: int = 0
    ) -> list[Event]:
        of_type, names = search.of_types(types)
        where, values = search.naming(naming, self.dialect)
        return await self._events(
            f"task_id = ? AND {of_type} AND seq > ? AND {where} ORDER BY seq LIMIT ?",
            *(task_id, *names, after, *values, limit),
        )

    async def events_at(self, task_id: str, seqs: Sequence[int]) -> list[Event]:
        wanted, values = self.dialect.among("seq", seqs)
        return await self._events(f"task_id = ? AND {wanted} ORDER BY seq", task_id, *values)

    async def search(self, task_id: str, query: LogQuery, after: int = 0, limit: int = 100) -> LogHits:
        lines = await self._failure_lines(task_id) if query.failures else []
        where, values = search.conditions(task_id, query, self.dialect, lines)
        sql, values = search.hits(where, values, after, limit + 1)
        (total,), *seqs = await self._rows(sql, *values)
        page = await self.events_at(task_id, [seq for (seq,) in seqs[:limit]])
        return LogHits(page, total, len(seqs) > limit)

    async def next_failure(self, task_id: str, after: int) -> int | None:
        rows = await self._rows(f"SELECT seq FROM task_events WHERE {FAILURES}", task_id, after, 1)
        lines = [seq for seq in await self._failure_lines(task_id) if seq > after]
        return min([*(seq for (seq,) in rows), *lines], default=None)

    async def previous_failure(self, task_id: str, before: int) -> int | None:
        rows = await self._rows(f"SELECT seq FROM task_events WHERE {LAST_FAILURE}", task_id, before)
        lines = [seq for seq in await self._failure_lines(task_id) if seq < before]
        return max([*(seq for (seq,) in rows), *lines], default=None)

    async def failures(self, task_id: str, after: int = 0, limit: int = 100) -> list[Event]:
        return await self._events(FAILURES, task_id, after, limit)

    async def error_output(self, task_id: str, before: int, limit: int, since: int = 0) -> list[Event]:
        matches, values = self.dialect.contains(self.dialect.text("payload"), '"stream":"stderr"')
        where = f"task_id = ? AND seq > ? AND seq < ? AND event_type = 'log' AND {matches}"
        found = await self._events(f"{where} ORDER BY seq DESC LIMIT ?", task_id, since, before, *values, limit)
        return found[::-1]

    async def _failure_lines(self, task_id: str) -> list[int]:
        """Return the seqs of the lines of output that say why the run failed."""
        rows = await self._rows("SELECT failure_lines FROM tasks WHERE task_id = ?", task_id)
        return damaged.seqs_of(rows[0][0]) if rows else []

    async def first_seq_at(self, task_id: str, at: str) -> int | None:
        found = await self._rows(_FIRST_OCCURRED, task_id, at)
        # The index on created_at also has the events with occurred_at, so do not search it beyond the first of them.
        until = found[0][0] if found else _LAST_TIME
        found += await self._rows(_FIRST_CREATED, task_id, at, until)
        return min(found)[-1] if found else None

"""Reads of a task as it was after an earlier event, from its folded state and its log up to that event."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

import msgspec

from signalbox.store.contract import ConversationEntry, LogHits, LogQuery, Reading
from signalbox.store.events import Event
from signalbox.store.state import TaskState, Unfinished
from signalbox.store.state_reading import StateReading


class PastReading(StateReading):
    """Implements `TaskReading` as of the last event that was folded into `state`."""

    def __init__(self, view: Reading, state: TaskState) -> None:
        super().__init__(state)
        self._view = view
        self._seq = state.task.latest_seq

    async def unfinished(self, task_id: str) -> list[Unfinished]:
        return []

    def brief(self) -> Self:
        return type(self)(self._view.brief(), self._state)

    async def events(self, task_id: str, since_seq: int = 0, limit: int = 100) -> list[Event]:
        return await self._view.events(task_id, since_seq, max(0, min(limit, self._seq - since_seq)))

    async def latest_events(self, task_id: str, limit: int = 50, before: int | None = None) -> list[Event]:
        below = self._seq + 1 if before is None else min(before, self._seq + 1)
        return await self._view.latest_events(task_id, limit, below)

    async def rows_before(self, task_id: str, before: int, limit: int = 100, since: int = 0) -> list[Event]:
        return await self._view.rows_before(task_id, min(before, self._seq + 1), limit, since)

    async def rows_after(self, task_id: str, since_seq: int, limit: int = 100) -> list[Event]:
        rows = await self._view.rows_after(task_id, since_seq, limit)
        return [event for event in rows if event.seq <= self._seq]

    async def count_rows(self, task_id: str, until_seq: int) -> int:
        return await self._view.count_rows(task_id, min(until_seq, self._seq))

    async def events_of_types(
        self, task_id: str, types: Sequence[str], limit: int = 1000, *, naming: str = "", after: int = 0
    ) -> list[Event]:
        found = await self._view.events_of_types(task_id, types, limit, naming=naming, after=after)
        return [event for event in found if event.seq <= self._seq]

    async def conversation(
        self, task_id: str, limit: int = 100, *, before: int | None = None, spans: Sequence[str] | None = None
    ) -> list[ConversationEntry]:
        below = self._seq + 1 if before is None else min(before, self._seq + 1)
        found = await self._view.conversation(task_id, limit, before=below, spans=spans)
        return [msgspec.structs.replace(entry, last_seq=min(entry.last_seq, self._seq)) for entry in found]

    async def events_of_span(self, task_id: str, span_id: str, first: int, last: int, limit: int = 1000) -> list[Event]:
        return await self._view.events_of_span(task_id, span_id, first, min(last, self._seq), limit)

    async def events_at(self, task_id: str, seqs: Sequence[int]) -> list[Event]:
        return await self._view.events_at(task_id, [seq for seq in seqs if seq <= self._seq])

    async def failures(self, task_id: str, after: int = 0, limit: int = 100) -> list[Event]:
        return [event for event in await self._view.failures(task_id, after, limit) if event.seq <= self._seq]

    async def error_output(self, task_id: str, before: int, limit: int, since: int = 0) -> list[Event]:
        return await self._view.error_output(task_id, min(before, self._seq + 1), limit, since)

    async def search(self, task_id: str, query: LogQuery, after: int = 0, limit: int = 100) -> LogHits:
        return await self._view.search(task_id, msgspec.structs.replace(query, until=self._seq), after, limit)

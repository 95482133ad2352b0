"""Reads of a task as it was after an earlier event, from its folded state and its log up to that event."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from typing import Self

import msgspec

from signalbox.store.contract import LogHits, LogQuery, Reading
from signalbox.store.contract.reading.spans import MAX_ANCESTORS
from signalbox.store.events import Event
from signalbox.store.state import Checkpoint, Permission, Phase, Span, Task, TaskState, Unfinished


class PastReading:
    """Implements `TaskReading` as of the last event that was folded into `state`."""

    def __init__(self, view: Reading, state: TaskState) -> None:
        self._view = view
        self._state = state
        self._seq = state.task.latest_seq

    async def task(self, task_id: str) -> Task:
        return self._state.task

    async def unfinished(self, task_id: str) -> list[Unfinished]:
        return []

    def brief(self) -> Self:
        return type(self)(self._view.brief(), self._state)

    # the log

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

    async def events_at(self, task_id: str, seqs: Sequence[int]) -> list[Event]:
        return await self._view.events_at(task_id, [seq for seq in seqs if seq <= self._seq])

    async def search(self, task_id: str, query: LogQuery, after: int = 0, limit: int = 100) -> LogHits:
        return await self._view.search(task_id, msgspec.structs.replace(query, until=self._seq), after, limit)

    # projections

    async def phases(self, task_id: str) -> list[Phase]:
        return sorted(self._state.phases.values(), key=lambda phase: phase.first_seq)

    async def spans(self, task_id: str, after: int = 0, limit: int | None = None) -> list[Span]:
        return self._by_start(span for span in self._state.spans.values() if span.started_seq > after)[:limit]

    async def span(self, task_id: str, span_id: str) -> Span | None:
        return self._state.spans.get(span_id)

    async def span_children(self, task_id: str, span_id: str, limit: int) -> list[Span]:
        return self._by_start(span for span in self._state.spans.values() if span.parent_span_id == span_id)[:limit]

    async def spans_changed(self, task_id: str, since_seq: int, limit: int) -> list[Span]:
        return self._by_start(span for span in self._state.spans.values() if span.changed_seq > since_seq)[:limit]

    async def span_window(self, task_id: str, open_limit: int, ended_limit: int) -> list[Span]:
        spans = self._state.spans

        def newest(chosen: Iterable[Span], limit: int) -> list[Span]:
            return sorted(chosen, key=lambda span: (span.ended_seq or span.started_seq, span.span_id))[-limit:]

        marks = (span for span in spans.values() if span.state != "open" and span.ended_seq is None)
        queue = deque(
            [
                *newest((span for span in spans.values() if span.state == "open"), open_limit),
                *newest((span for span in spans.values() if span.ended_seq is not None), ended_limit),
                *self._by_start(marks)[:ended_limit],
            ]
        )
        chosen: dict[str, Span] = {}
        while queue and len(chosen) < open_limit + 2 * ended_limit + MAX_ANCESTORS:
            span = queue.popleft()
            if span.span_id not in chosen:
                chosen[span.span_id] = span
                parent = spans.get(span.parent_span_id or "")
                queue.extend([parent] if parent else [])
        return self._by_start(chosen.values())

    async def checkpoints(self, task_id: str, limit: int = 1000) -> list[Checkpoint]:
        return sorted(self._state.checkpoints.values(), key=lambda checkpoint: checkpoint.seq)[-limit:]

    async def checkpoint(self, task_id: str, checkpoint_id: str) -> Checkpoint | None:
        return self._state.checkpoints.get(checkpoint_id)

    async def permissions(
        self, task_id: str, *, open_only: bool = True, after: int = 0, limit: int | None = None
    ) -> list[Permission]:
        requests = sorted(self._state.permissions.values(), key=lambda permission: permission.seq)
        return [r for r in requests if r.seq > after and (r.state == "open" or not open_only)][:limit]

    async def permission(self, task_id: str, request_id: str) -> Permission | None:
        return self._state.permissions.get(request_id)

    @staticmethod
    def _by_start(spans: Iterable[Span]) -> list[Span]:
        return sorted(spans, key=lambda span: span.started_seq)

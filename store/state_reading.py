"""Reads of a task from its folded state: its phases, spans, checkpoints and permission requests."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Collection, Iterable, Sequence
from heapq import nlargest

from signalbox.store.contract.reading.spans import MAX_ANCESTORS, MAX_COUNTED
from signalbox.store.span_pages import order_of_start
from signalbox.store.state import Artifact, Checkpoint, Permission, Phase, SentMessage, Span, Task, TaskState


class StateReading:
    """Implements the reads of `TaskReading` that need no log, as of the last event that was folded into `state`."""

    def __init__(self, state: TaskState) -> None:
        self._state = state

    async def task(self, task_id: str) -> Task:
        return self._state.task

    async def phases(self, task_id: str) -> list[Phase]:
        return sorted(self._state.phases.values(), key=lambda phase: phase.first_seq)

    async def spans(self, task_id: str, after: int = 0, limit: int | None = None) -> list[Span]:
        return self._by_start(span for span in self._state.spans.values() if span.started_seq > after)[:limit]

    async def span(self, task_id: str, span_id: str) -> Span | None:
        return self._state.spans.get(span_id)

    async def span_children(self, task_id: str, span_id: str, limit: int) -> list[Span]:
        return self._by_start(span for span in self._state.spans.values() if span.parent_span_id == span_id)[:limit]

    async def spans_closed_at(self, task_id: str, seq: int, limit: int) -> list[Span]:
        return self._by_start(span for span in self._state.spans.values() if span.ended_seq == seq)[-limit:]

    async def child_counts(self, task_id: str, span_ids: Sequence[str]) -> dict[str, int]:
        counts = Counter(span.parent_span_id for span in self._state.spans.values())
        return {span_id: min(counts[span_id], MAX_COUNTED) for span_id in span_ids if counts[span_id]}

    async def spans_changed(self, task_id: str, since_seq: int, limit: int) -> list[Span]:
        changed = (span for span in self._state.spans.values() if span.changed_seq > since_seq)
        return sorted(changed, key=lambda span: (span.changed_seq, span.span_id))[:limit]

    async def span_window(self, task_id: str, open_limit: int, ended_limit: int) -> list[Span]:
        spans = self._state.spans

        def newest(chosen: Iterable[Span], limit: int) -> list[Span]:
            return nlargest(limit, chosen, key=lambda span: (span.ended_seq or span.started_seq, span.span_id))[::-1]

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

    async def span_parents(self, task_id: str, span_ids: Collection[str], levels: int) -> dict[str, str | None]:
        spans, found = self._state.spans, dict[str, str | None]()
        wanted = set(span_ids)
        for _ in range(levels + 1):
            above = {span_id: spans[span_id].parent_span_id for span_id in wanted if span_id in spans}
            found |= above
            wanted = {parent for parent in above.values() if parent} - found.keys()
        return found

    async def spans_with_ancestors(self, task_id: str, span_ids: Collection[str], levels: int) -> list[Span]:
        return self._by_start(self._state.spans[found] for found in await self.span_parents(task_id, span_ids, levels))

    async def span_descendants(self, task_id: str, span_id: str, levels: int, limit: int) -> list[Span]:
        children: dict[str, list[Span]] = {}
        for span in self._state.spans.values():
            children.setdefault(span.parent_span_id or "", []).append(span)
        found: dict[str, Span] = {}
        above = [span_id]
        for _ in range(levels):
            below = [span for parent in above for span in children.get(parent, [])]
            new = {span.span_id: span for span in below if span.span_id != span_id and span.span_id not in found}
            found |= new
            above = list(new)
            if not above or len(found) >= limit:
                break
        return self._by_start(found.values())[:limit]

    async def checkpoints(
        self, task_id: str, limit: int = 1000, *, before: int | None = None, ids: Collection[str] | None = None
    ) -> list[Checkpoint]:
        found = [one for one in self._state.checkpoints.values() if ids is None or one.checkpoint_id in ids]
        found = [one for one in found if before is None or one.seq < before]
        return sorted(found, key=lambda checkpoint: checkpoint.seq)[-limit:]

    async def checkpoint(self, task_id: str, checkpoint_id: str) -> Checkpoint | None:
        return self._state.checkpoints.get(checkpoint_id)

    async def artifacts(self, task_id: str, limit: int = 100, before: int | None = None) -> list[Artifact]:
        newest = sorted(self._state.artifacts.values(), key=lambda artifact: artifact.seq, reverse=True)
        return [artifact for artifact in newest if before is None or artifact.seq < before][:limit]

    async def artifact(self, task_id: str, seq: int) -> Artifact | None:
        return self._state.artifacts.get(seq)

    async def permissions(
        self, task_id: str, *, open_only: bool = True, after: int = 0, limit: int | None = None
    ) -> list[Permission]:
        requests = sorted(self._state.permissions.values(), key=lambda permission: permission.seq)
        return [r for r in requests if r.seq > after and (r.state == "open" or not open_only)][:limit]

    async def messages(
        self, task_id: str, *, untaken: bool = False, after: int = 0, limit: int | None = None
    ) -> list[SentMessage]:
        messages = sorted(self._state.messages.values(), key=lambda message: message.seq)
        return [m for m in messages if m.seq > after and not (untaken and m.taken_seq)][:limit]

    async def latest_messages(self, task_id: str, limit: int) -> list[SentMessage]:
        return (await self.messages(task_id))[-limit:]

    async def permission(self, task_id: str, request_id: str) -> Permission | None:
        return self._state.permissions.get(request_id)

    @staticmethod
    def _by_start(spans: Iterable[Span]) -> list[Span]:
        return sorted(spans, key=order_of_start)

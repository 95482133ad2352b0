"""A replica: the state of one task in memory, read once and then folded from the events of the tail.

It has the parts of the state that the task page shows, so frames for viewers that have all earlier events need no read.
Its size is limited: for a task with many spans, checkpoints or requests, it has only those that a page shows.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Self

import msgspec

from signalbox.store.contract import Reading, Standing
from signalbox.store.events import HEARTBEAT, Event
from signalbox.store.projections import Needs, apply, needs
from signalbox.store.sql.short_payloads import MAX_PAYLOAD_CHARS, shorten
from signalbox.store.state import Span, Task, TaskState, Unfinished
from signalbox.store.state_reading import StateReading

MAX_SPANS = 500
MAX_CHECKPOINTS = 50
MAX_PERMISSIONS = 50
MAX_ARTIFACTS = 50
MAX_MESSAGES = 20
"""A task with more of these is replicated in part. A page shows fewer of each."""

MAX_BYTES = 512 * 1024
"""Maximum size of a replica, as JSON. In memory it takes up to four times as much."""

MEASURE_BYTES = MAX_BYTES // 4
"""A replica is measured again when it may have grown by this much."""

EVENT_BYTES = 500
"""Bytes that an event can add to the state besides those of its payload."""

_encoder = msgspec.json.Encoder()


class Replica:
    """The state of a task after the event `seq`, and its state outside the log.

    `unfinished` are the unfinished lines, None if they are not known; `unfinished_at` is as in `Standing.unfinished`.
    `child_counts` has the number of children of each span, if the replica does not have all spans. `spawn` is the event
    that started the run. `spans_changed_seq` is the seq that last changed a span.
    """

    def __init__(self, state: TaskState, *, unfinished: Sequence[Unfinished] = (), unfinished_at: str = "") -> None:
        self.state = state
        self.unfinished: list[Unfinished] | None = list(unfinished)
        self.spawn: Event | None = None
        self.spans_changed_seq = max([state.task.spans_seq, *(span.changed_seq for span in state.spans.values())])
        self.unfinished_at = unfinished_at
        self.child_counts: dict[str, int] | None = None
        self._has_all_spans = len(state.spans) == state.task.spans_total
        self._has_all_checkpoints = len(state.checkpoints) == state.task.checkpoints_total
        self._has_all_permissions = not state.task.permissions_seq
        self._has_open_permissions = True
        self._has_all_messages = len(state.messages) == state.task.messages_total
        self._growth = 0

    @property
    def task(self) -> Task:
        """The task after the event `seq`."""
        return self.state.task

    @property
    def seq(self) -> int:
        """The newest seq of the replica."""
        return self.state.task.latest_seq

    def check(self, standing: Standing) -> bool:
        """Return whether the task is archived, stale, held and in cold storage as `standing` says.

        If the unfinished lines have changed, they are not known any more.
        """
        task = self.state.task
        if self.unfinished_at != standing.unfinished:
            self.unfinished, self.unfinished_at = None, standing.unfinished
        return task.flags == standing.flags

    @classmethod
    async def load(cls, view: Reading, task_id: str, *, open_spans: int, ended_spans: int) -> Self | None:
        """Read a replica. For a task with too many spans, it has a window of this size: see `span_window`.

        Returns None for a task that is unreadable or too large. Raises UnknownTask.
        """
        task = await view.task(task_id)
        if task.unreadable:
            return None
        state = TaskState(task=task)
        if task.phases_total:
            state.phases = {phase.phase: phase for phase in await view.phases(task_id)}
        if task.spans_total:
            state.spans = {span.span_id: span for span in await _spans(view, task, open_spans, ended_spans)}
        if task.checkpoints_total:
            newest = await view.checkpoints(task_id, MAX_CHECKPOINTS)
            state.checkpoints = {checkpoint.checkpoint_id: checkpoint for checkpoint in newest}
        if task.artifacts_total:
            state.artifacts = {artifact.seq: artifact for artifact in await view.artifacts(task_id, MAX_ARTIFACTS)}
        has_all = True
        if task.permissions_seq:
            requests = await view.permissions(task_id, open_only=False, limit=MAX_PERMISSIONS + 1)
            has_all = len(requests) <= MAX_PERMISSIONS
            if not has_all:
                requests = await view.permissions(task_id, limit=MAX_PERMISSIONS)
            state.permissions = {request.request_id: request for request in requests}
        if task.messages_total:
            newest_messages = await view.latest_messages(task_id, MAX_MESSAGES)
            state.messages = {message.seq: message for message in newest_messages}
        unfinished, unfinished_at = await view.unfinished(task_id), ""
        if unfinished:
            unfinished_at = (await view.standings([task_id]))[task_id].unfinished
        replica = cls(state, unfinished=unfinished, unfinished_at=unfinished_at)
        replica._has_all_permissions = has_all
        if not replica._has_all_spans:
            # No span is added or ends while the replica is used.
            replica.child_counts = await view.child_counts(task_id, list(state.spans))
        replica._has_open_permissions = has_all or len(state.permissions) == task.permissions_open
        if task.spawn_seq:
            replica.spawn = next(iter(await view.events_at(task_id, [task.spawn_seq])), None)
        return replica if replica.measured() <= MAX_BYTES else None

    def measured(self) -> int:
        """Return the size as JSON, in bytes."""
        self._growth = 0
        return len(_encoder.encode(self.state)) + (_size(self.spawn) if self.spawn else 0)

    def has_ancestors(self, events: Iterable[Event]) -> bool:
        """Return whether the replica has the spans of these events and all spans above them."""
        return self._has_all_spans or all(map(self._has_ancestors, {event.span_id for event in events}))

    def fold(self, event: Event) -> bool:
        """Fold the next event of the task. An event that the replica already has is skipped.

        Returns False if the replica cannot follow: an event is missing, it needs a part of the state that the replica
        does not have, or it makes the replica too large. Then the replica must be dropped.
        """
        state, task = self.state, self.state.task
        if event.seq <= task.latest_seq:
            return True
        if event.seq != task.latest_seq + 1 or event.identity not in ("", task.identity):
            return False
        is_whole = (
            self._has_all_spans and self._has_all_checkpoints and self._has_all_permissions and self._has_all_messages
        )
        if not (is_whole or self._has(needs(task, [event]))):
            return False
        spans_seq, permissions_seq = task.spans_seq, task.permissions_seq
        if apply(state, event):
            # A page may now have to show a span or a request that the replica does not have.
            if task.spans_seq != spans_seq and not self._has_all_spans:
                return False
            if task.permissions_seq != permissions_seq and not self._has_open_permissions:
                return False
            span = state.spans.get(event.span_id)
            self.spans_changed_seq = max(task.spans_seq, span.changed_seq if span else 0, self.spans_changed_seq)
            if task.spawn_seq == event.seq:
                self.spawn = event
            size = _size(event)
            if event.event_type != HEARTBEAT:
                self._growth += size
            if size > MAX_PAYLOAD_CHARS:
                # Pages show such a payload shortened. The decoded one takes up to 20 times the memory of its JSON.
                event.__dict__.pop("payload", None)
        # The store resets it in the transaction that appends the event.
        task.stale = False
        if task.ended_at is not None and self.unfinished:
            # The store deletes the lines, unless the same transaction also restarts the task.
            self.unfinished, self.unfinished_at = None, ""
        if len(state.spans) > MAX_SPANS:
            return False
        return self._growth <= MEASURE_BYTES or self.measured() <= MAX_BYTES

    def _has(self, needed: Needs) -> bool:
        state = self.state
        return (
            (self._has_all_spans or (needed.spans <= state.spans.keys() and not needed.open_spans))
            and (self._has_all_checkpoints or needed.checkpoints <= state.checkpoints.keys())
            and (self._has_all_permissions or needed.permissions <= state.permissions.keys())
            and (self._has_open_permissions or not needed.open_permissions)
            and (self._has_all_messages or needed.messages <= state.messages.keys())
            and not (needed.interrupted and not (self._has_all_spans and self._has_all_permissions))
            and (self._has_all_spans or all(map(self._has_ancestors, needed.ancestors)))
        )

    def _has_ancestors(self, span_id: str) -> bool:
        spans, met = self.state.spans, set[str]()
        while span_id not in met and (span := spans.get(span_id)) is not None:
            if not span.parent_span_id:
                return True
            met.add(span_id)
            span_id = span.parent_span_id
        return span_id in met


class ReplicaReading(StateReading):
    """Implements `TaskPageReading` for a replica. `events` are the newest events of its task, without gaps.

    Reads of the log only find these events, and the event that started the run.
    """

    def __init__(self, replica: Replica, events: Sequence[Event]) -> None:
        super().__init__(replica.state)
        self._replica = replica
        self._events = events

    async def unfinished(self, task_id: str) -> list[Unfinished]:
        return self._replica.unfinished or []

    async def child_counts(self, task_id: str, span_ids: Sequence[str]) -> dict[str, int]:
        known = self._replica.child_counts
        if known is None:
            return await super().child_counts(task_id, span_ids)
        return {span_id: known[span_id] for span_id in span_ids if span_id in known}

    async def spans_changed(self, task_id: str, since_seq: int, limit: int) -> list[Span]:
        changed = self._replica.spans_changed_seq > since_seq
        return await super().spans_changed(task_id, since_seq, limit) if changed else []

    def brief(self) -> Self:
        return type(self)(self._replica, [shorten(event) for event in self._events])

    async def events(self, task_id: str, since_seq: int = 0, limit: int = 100) -> list[Event]:
        return [event for event in self._events if event.seq > since_seq][:limit]

    async def rows_before(self, task_id: str, before: int, limit: int = 100, since: int = 0) -> list[Event]:
        rows = [event for event in self._events if since < event.seq < before and event.event_type != HEARTBEAT]
        return rows[-limit:]

    async def events_at(self, task_id: str, seqs: Sequence[int]) -> list[Event]:
        known = {event.seq: event for event in (*self._events, *([self._replica.spawn] if self._replica.spawn else ()))}
        return [known[seq] for seq in sorted(set(seqs)) if seq in known]


async def _spans(view: Reading, task: Task, open_spans: int, ended_spans: int) -> list[Span]:
    if task.spans_total <= MAX_SPANS:
        return await view.spans(task.task_id, 0, MAX_SPANS)
    window = await view.span_window(task.task_id, open_spans, ended_spans)
    if task.resources_span and all(span.span_id != task.resources_span for span in window):
        span = await view.span(task.task_id, task.resources_span)
        window += [span] if span else []
    return window


def _size(event: Event) -> int:
    return memoryview(event.payload_json).nbytes + EVENT_BYTES

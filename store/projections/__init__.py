"""Projections: pure functions that fold events into the state of a task. No I/O, no clock.

The append transaction stores the result of the fold in tables. Time travel runs the same fold over a log up to any seq.
`needs` returns the rows that an event can change, so that an append never loads a whole task.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgspec

from signalbox.store.events import HEARTBEAT, LABEL_EVENTS, OLDER_SPELLINGS, Event, NewEvent
from signalbox.store.model_calls.marks import PLAIN, concerns_model
from signalbox.store.projections import (
    activity,
    allowances,
    artifacts,
    checkpoints,
    interruption,
    messages,
    permissions,
    phases,
    run,
    spans,
    tags,
    title,
    traces,
    usage,
)
from signalbox.store.projections.payload import checkpoint_id_in, checkpoint_id_of, request_id_of, text
from signalbox.store.projections.permissions import consequences, refusal
from signalbox.store.state import Task, TaskState

__all__ = [
    "Needs",
    "apply",
    "checkpoint_id_of",
    "consequences",
    "count",
    "count_together",
    "fold",
    "needs",
    "refusal",
    "request_id_of",
]


class Needs(msgspec.Struct):
    """The rows that must be loaded into a TaskState before certain events are folded into it."""

    spans: set[str]
    checkpoints: set[str]
    permissions: set[str]
    messages: set[int]
    open_spans: bool = False
    phases: bool = False
    open_permissions: bool = False
    interrupted: bool = False
    reporting: set[str] = msgspec.field(default_factory=set)
    parents: dict[str, str] = msgspec.field(default_factory=dict)

    @property
    def ancestors(self) -> set[str]:
        """The spans whose ancestors may change."""
        return self.reporting.union(self.parents, self.parents.values())


def needs(task: Task, events: Iterable[NewEvent | Event]) -> Needs:
    """Return the rows that `apply` may change when it folds `events` into `task`.

    `interrupted` is set if the events come from an interrupted run: then all rows that the interruption closed are
    needed too. If the task counts usage, `reporting` are the spans of the events that concern model calls, and
    `parents` has the first parent that the events give each span: `usage.sources` then says whose ancestors are needed.
    """
    needed = Needs(spans=set(), checkpoints=set(), permissions=set(), messages=set())
    events = list(events)
    may_go_on = task.status == "interrupted" or traces.is_complete(task)
    needed.interrupted = may_go_on and any(map(interruption.is_from_the_run, events))
    needed.phases = needed.interrupted
    if are_plain_lines(task, events):
        return needed
    unnamed_up_to, counts_usage = 0, task.tally is not None
    for at, event in enumerate(events):
        needed.spans.add(event.span_id or task.main_span_id)
        if event.parent_span_id:
            needed.spans.add(event.parent_span_id)
        elif event.event_type in traces.SPAN_EVENTS:
            needed.spans.add(task.main_span_id)  # is the parent: see `traces.span_of`
        about_model = not (event.event_type == "log" and PLAIN.issuperset(event.payload)) and concerns_model(event)
        kind = event.event_type
        counts_usage = counts_usage or about_model
        if about_model and event.span_id:
            needed.reporting.add(event.span_id)
        if event.span_id and event.parent_span_id:
            needed.parents.setdefault(event.span_id, event.parent_span_id)
        if kind == "log" and not about_model and event.phase in (None, task.phase):
            continue
        needed.phases = True
        if kind in ("runner_exit", "status", traces.COMPLETE):
            needed.open_spans = needed.open_permissions = True
        elif kind.startswith("permission_"):
            request_id = text(event.payload, "request_id")
            # A response without a request id answers an open request. A request without an id gets one from its seq.
            needed.open_permissions |= request_id is None and kind == "permission_response"
            if request_id:
                needed.permissions.add(request_id)
            else:
                unnamed_up_to = at + 1
        elif kind == "message_taken":
            needed.messages.add(messages.number_in(event.payload))
        elif kind.startswith(("checkpoint_", "evidence_")):
            needed.checkpoints.add(checkpoint_id_in(event.payload))
    if not counts_usage:
        needed.reporting, needed.parents = set(), {}
    elif needed.reporting or needed.parents or (task.tally and not needed.spans.isdisjoint(task.tally.waiting)):
        needed.spans.add(task.main_span_id)  # shows the usage of the run
    needed.permissions.update(f"request-{task.latest_seq + n + 1}" for n in range(unnamed_up_to))
    return needed


def are_plain_lines(task: Task, events: Iterable[NewEvent | Event]) -> bool:
    """Return whether the events are log lines in the main span of a running task that concern no model call.

    Most appends are. These events change only counters, so `count` has the same effect as `apply`.
    """
    return all(_is_main_span_line(task, event) and PLAIN.issuperset(event.payload) for event in events)


def fold(task: Task, events: Iterable[Event]) -> TaskState:
    """Fold a whole log, starting with its first event, and return the state after the last one."""
    state = TaskState(task=task)
    for event in events:
        apply(state, event)
    return state


def apply(state: TaskState, event: Event) -> bool:
    """Fold one event into `state`, in place. Never raises, whatever the payload contains.

    Returns False if the event changed only counters. For such events `count` has the same effect and needs only their
    times.
    """
    task, seq = state.task, event.seq
    task.latest_seq = seq
    task.updated_at = event.created_at
    activity.count(task, event.created_at, 0 if event.event_type == HEARTBEAT else 1)
    if _changes_only_counters(state, event):
        return False
    before = _header(task)
    if task.status == "queued" and event.event_type in LABEL_EVENTS:
        # A person may tag a task before its run starts. This neither starts the run nor chooses its main span.
        _HANDLERS[event.event_type](state, event, None)
        task.header_seq = seq
        return True
    if not task.main_span_used:
        _choose_main_span(task, event)
    kind = OLDER_SPELLINGS.get(event.event_type, event.event_type)
    if task.status == "interrupted" and interruption.is_from_the_run(event):
        interruption.undo(state, event)
    elif traces.is_complete(task) and interruption.is_from_the_run(event):
        traces.resume(state, event)
    elif task.status == "queued":
        run.set_status(state, "running", event)
    if event.phase != task.phase and event.phase is not None and kind != "phase_exit":
        phases.reach(state, event)
    is_late = False
    if kind in traces.SPAN_EVENTS:
        is_late = traces.is_late(state.spans.get(event.span_id), event)
        span = traces.span_of(state, event)
    else:
        span = spans.span_of(state, event, kind)
    handler = _HANDLERS.get(kind)
    if handler:
        handler(state, event, span)
    if not is_late and concerns_model(event):
        usage.report(state, event, span, kind)
    if task.ended:
        run.end_all(state, event)
    if before != _header(task):
        task.header_seq = seq
    return True


def count(task: Task, times: Sequence[str]) -> None:
    """Fold the next events of a log that change only counters. `times` are their `created_at`."""
    for created_at in times:
        activity.count(task, created_at)
    if times:
        task.latest_seq += len(times)
        task.updated_at = times[-1]


def count_together(task: Task, created_at: str, events: int) -> None:
    """Fold the next `events` events, which were appended together and change only counters."""
    activity.count(task, created_at, events)
    task.latest_seq += events
    task.updated_at = created_at


def _changes_only_counters(state: TaskState, event: Event) -> bool:
    """Return whether the event is a log line of a known span of a running task. Most events are."""
    task = state.task
    if event.event_type != "log" or concerns_model(event):
        return False
    if _is_main_span_line(task, event):
        return True
    if task.status != "running" or event.phase not in (None, task.phase):
        return False
    span = state.spans.get(event.span_id)
    return (
        task.main_span_used and span is not None and (event.parent_span_id is None or span.parent_span_id is not None)
    )


def _is_main_span_line(task: Task, event: NewEvent | Event) -> bool:
    """Return whether the event is a log line in the main span of a running task, which changes only counters."""
    return (
        event.event_type == "log"
        and task.status == "running"
        and task.main_span_used
        and event.span_id in (None, task.main_span_id)
        and event.parent_span_id is None
        and event.phase in (None, task.phase)
    )


def _header(task: Task) -> tuple[object, ...]:
    return (
        task.status,
        task.phase,
        task.progress,
        task.message,
        task.error,
        task.cancel_requested,
        len(task.retries),
        task.items_done,
        task.items_total,
        task.items_failed,
        task.spans_total,
        task.usage,
        task.conversation_seq,
        task.labels_seq,
        task.artifacts_seq,
        task.title,
        not task.spawn_seq and task.trace and (task.trace.has_root, task.trace.open_roots, task.trace.complete_seq),
    )


def _choose_main_span(task: Task, event: Event) -> None:
    # If the first event is a spawn, its span becomes the main span. Otherwise the generated one is kept.
    if event.event_type == "runner_spawn" and event.parent_span_id is None and event.span_id != task.main_span_id:
        task.main_span_id, task.main_span_seq = event.span_id, event.seq
    task.main_span_used = task.main_span_id == event.span_id


_HANDLERS: dict[str, Callable[[TaskState, Event, Any], None]] = {
    "runner_spawn": run.spawn,
    "runner_exit": run.leave,
    "runner_heartbeat": run.heartbeat,
    "phase_enter": phases.enter,
    "phase_exit": phases.leave,
    "work_item_progress": spans.item_progress,
    "status": run.status,
    "progress_update": run.progress_update,
    "recovery_initiated": run.recovery,
    "recovery_complete": run.recovery,
    "cancel_requested": run.cancel_requested,
    "retry_requested": run.retry_requested,
    "checkpoint_commit": checkpoints.commit,
    "checkpoint_verified": checkpoints.checked,
    "checkpoint_invalid": checkpoints.checked,
    "evidence_collected": checkpoints.evidence,
    "evidence_linked": checkpoints.evidence,
    "permission_request": permissions.request,
    "permission_response": permissions.closed,
    "permission_cleared": permissions.closed,
    "title_changed": title.title_changed,
    "tags_changed": tags.tags_changed,
    "links_changed": tags.links_changed,
    "artifact_stored": artifacts.stored,
    "allowance_revoked": allowances.revoke,
    "message_sent": messages.sent,
    "message_taken": messages.taken,
    "trace_complete": traces.complete,
}

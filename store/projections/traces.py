"""The projection of spans that a program reports with times of its own, and of the task as their trace.

The events `span_start` and `span_end` of a trace arrive in any order: late, before their parents, or without them. The
result is the same for every order. Each `span_end` says everything about its span, so it replaces what a `span_start`
or a child said before, and a `span_start` that arrives after it changes nothing. A parent that has not arrived is a
mark, to which its children belong.

The task takes its title and its kind from the root span that started first, else from the span that started first. It
is complete when the server says so with `trace_complete`, and goes on when more of the trace arrives. In a task with a
`runner_spawn`, the run decides all that, and spans without a parent lie below its main span.
"""

from __future__ import annotations

import re

from signalbox.store.events import MAX_FIELD_CHARS, MAX_TITLE_CHARS, Event
from signalbox.store.projections import interruption, phases, spans, usage
from signalbox.store.projections.payload import number, text
from signalbox.store.reserved import is_reserved_kind
from signalbox.store.state import Span, Task, TaskState, Trace
from signalbox.store.times import is_timestamp

START, END, COMPLETE = "span_start", "span_end", "trace_complete"
SPAN_EVENTS = (START, END)

NOT_RECEIVED = "(span not received)"
"""The name of a parent that has not arrived."""

_KINDS = ("mark", "span", "tool")
"""The kinds of spans that these events change."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")


def span_of(state: TaskState, event: Event) -> Span:
    """Return the span of a `span_start` or `span_end`, after the event was folded into it."""
    task = state.task
    parent_id = event.parent_span_id
    if parent_id is None and task.spawn_seq and event.span_id != task.main_span_id:
        parent_id = task.main_span_id
    if parent_id is not None and parent_id != task.main_span_id:
        _expect(state, event, parent_id)
    span = state.spans.get(event.span_id)
    if span is None:
        span = spans.add(state, event, event.span_id, parent_id)
    elif span.parent_span_id is None and parent_id:
        span.parent_span_id = parent_id
        span.changed_seq = task.spans_seq = event.seq
        usage.move(state, span, event.seq)
    if span.kind in _KINDS and not is_late(span, event):
        _fold(state, event, span)
    return span


def is_late(span: Span | None, event: Event) -> bool:
    """Return whether another event has already said what this `span_start` or `span_end` says."""
    return span is not None and (span.final or (event.event_type == START and span.kind != "mark"))


def is_complete(task: Task) -> bool:
    """Return whether the task has ended because its trace is complete, so that it goes on when more arrives."""
    return task.trace is not None and task.ended_seq > 0 and task.trace.complete_seq == task.ended_seq


def resume(state: TaskState, event: Event) -> None:
    """Let a complete trace go on. The caller then folds the event itself."""
    ended_seq = state.task.ended_seq
    interruption.undo(state, event)
    main = state.spans.get(state.task.main_span_id)
    if main is not None and main.ended_seq == ended_seq:
        spans.reopen(state, main, event)


def _expect(state: TaskState, event: Event, parent_id: str) -> None:
    """Add a mark for a parent that has not arrived, as early as the first of its children."""
    at, parent = _start_of(event), state.spans.get(parent_id)
    if parent is None:
        parent = spans.add(state, event, parent_id, None)
        parent.name, parent.started_at = NOT_RECEIVED, at
    elif parent.state == "mark" and at < parent.started_at:
        parent.started_at, parent.changed_seq = at, event.seq


def _fold(state: TaskState, event: Event, span: Span) -> None:
    task, payload = state.task, event.payload
    if span.kind == "mark":
        span.started_seq, span.started_at = event.seq, _start_of(event)
    span.kind = "tool" if payload.get("work_type") == "tool" else "span"
    span.name = (text(payload, "name") or span.span_id)[:MAX_FIELD_CHARS]
    span.work_type = text(payload, "work_type") or span.work_type
    span.changed_seq = task.spans_seq = event.seq
    was_open = span.state == "open"
    if event.event_type == END:
        span.final = True
        span.started_at = _start_of(event) if "started_at" in payload else min(span.started_at, event.happened_at)
        span.ended_at, span.ended_seq = max(event.happened_at, span.started_at), event.seq
        failed = bool(payload.get("error_code")) or payload.get("status") == "error"
        span.state = "failed" if failed else "done"
        span.error = (text(payload, "message", "error_code") or "error") if failed else None
    else:
        span.state, span.ended_seq, span.ended_at, span.error = "open", None, None, None
    task.spans_open += (span.state == "open") - was_open
    if not task.spawn_seq:
        _fold_trace(state, event, span, was_open)


def _fold_trace(state: TaskState, event: Event, span: Span, was_open: bool) -> None:
    task = state.task
    trace = task.trace = task.trace or Trace()
    trace.started_at = min(trace.started_at or span.started_at, span.started_at)
    task.started_at = trace.started_at
    if span.ended_at is not None:
        trace.ended_at = max(trace.ended_at, span.ended_at)
    is_root = span.parent_span_id is None
    if is_root:
        trace.open_roots += (span.state == "open") - was_open
    rank = f"{'root' if is_root else 'span'} {span.started_at} {span.span_id}"
    if trace.rank and rank > trace.rank and span.span_id != trace.span_id:
        return
    trace.rank, trace.span_id, trace.has_root = rank, span.span_id, is_root
    trace.failed, trace.error = span.state == "failed", span.error
    if trace.titled or task.title is None:
        task.title, trace.titled = _one_line(span.name, MAX_TITLE_CHARS), True
    service = text(event.payload, "service")
    if service and not is_reserved_kind(service) and (trace.kinded or task.kind is None):
        task.kind, trace.kinded = _one_line(service, MAX_FIELD_CHARS), True


def complete(state: TaskState, event: Event, span: Span) -> None:
    """Fold `trace_complete`: the server has waited and nothing more of the trace has arrived."""
    task, trace = state.task, state.task.trace
    if trace is None:
        trace = task.trace = Trace(ended_at=event.happened_at)
    if task.ended or task.spawn_seq:
        return
    failed = trace.failed and trace.has_root
    trace.complete_seq, trace.quiet = event.seq, number(event.payload.get("quiet"))
    task.status, task.outcome_seq = "failed" if failed else "done", event.seq
    task.ended_at, task.ended_seq = max(trace.ended_at, task.started_at or ""), event.seq
    task.error = trace.error if failed else None
    for unfinished in state.spans.values() if task.spans_open else ():
        if unfinished.state == "open":
            _interrupt(state, unfinished, event)
    for phase in state.phases.values():
        if phase.state == "open":
            phases.close(state, phase, "done", event)


def _interrupt(state: TaskState, span: Span, event: Event) -> None:
    is_main = span.span_id == state.task.main_span_id
    span.state, span.ended_seq, span.changed_seq = "done" if is_main else "interrupted", event.seq, event.seq
    span.ended_at = max(state.task.ended_at or "", span.started_at)
    state.task.spans_seq = event.seq
    state.task.spans_open -= 1


def _start_of(event: Event) -> str:
    """Return the time at which the span of an event started."""
    given = event.payload.get("started_at")
    if event.event_type == END and isinstance(given, str) and is_timestamp(given):
        return min(given, event.happened_at)
    return event.happened_at


def _one_line(name: str, limit: int) -> str:
    line = _CONTROL.sub(" ", name).strip()[:limit]
    return line or NOT_RECEIVED

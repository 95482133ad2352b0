"""The projection of spans: units of work that open, report progress, close, and may open again."""

from __future__ import annotations

from typing import Any, cast

from signalbox.store.events import OLDER_SPELLINGS, Event
from signalbox.store.projections import usage
from signalbox.store.projections.payload import progress_of, text
from signalbox.store.state import Progress, Span, TaskState

_OPENS = {
    "runner_spawn": "run",
    "phase_enter": "phase",
    "work_item_start": "work_item",
    "tool_status": "tool",
}
_CLOSES = {
    "phase_exit": "phase",
    "work_item_complete": "work_item",
    "work_item_failed": "work_item",
    "tool_result": "tool",
}


def span_of(state: TaskState, event: Event, kind: str) -> Span:
    """Return the event's span. It is created if it does not exist, and opened or closed according to the event."""
    task = state.task
    span = state.spans.get(event.span_id)
    if span is None:
        span = add(state, event, event.span_id, event.parent_span_id)
        span.name = "run" if span.kind == "run" else _name(event, kind)
    elif span.parent_span_id is None and event.parent_span_id:
        span.parent_span_id = event.parent_span_id
        span.changed_seq = task.spans_seq = event.seq
        usage.move(state, span, event.seq)
    opens = _OPENS.get(kind)
    if opens and (span.kind == opens or span.state == "mark"):
        _open(state, span, opens, event)
    closes = _CLOSES.get(kind)
    if closes == "work_item" and span.state == "mark":
        # There was no event for the start of the work item, but its end is recorded.
        _open(state, span, closes, event)
    if closes and span.kind == closes:
        failed = kind == "work_item_failed" or bool(event.payload.get("error_code"))
        how = "failed" if failed else "done"
        # The outcome in a span's own event overrides an earlier outcome, and the outcome from the end of the run.
        closed_by_the_run = 0 < task.ended_seq <= (span.ended_seq or 0)
        if span.state != how or closed_by_the_run:
            close(state, span, how, event)
    return span


def add(state: TaskState, event: Event, span_id: str, parent_span_id: str | None) -> Span:
    """Add a span that the log names for the first time."""
    task = state.task
    parent = state.spans.get(parent_span_id or "")
    span = Span(
        span_id=span_id,
        parent_span_id=parent_span_id,
        kind="run" if span_id == task.main_span_id else "mark",
        name=span_id,
        phase=event.phase or (parent.phase if parent else None) or task.phase,
        started_seq=event.seq,
        started_at=event.happened_at,
        changed_seq=event.seq,
    )
    if span.kind == "run":
        # The main span is open while the run is, even without a `runner_spawn` event.
        span.name, span.state = "run", "open"
        task.spans_open += 1
    state.spans[span.span_id] = span
    task.spans_total += 1
    task.spans_seq = event.seq
    usage.adopt(state, span, event.seq)
    return span


def _name(event: Event, kind: str) -> str:
    if kind in ("phase_enter", "phase_exit") and event.phase:
        return event.phase
    name = text(event.payload, "name", "work_item_id", "tool_name")
    return (name or event.span_id)[:256]


def _open(state: TaskState, span: Span, kind: str, event: Event) -> None:
    task = state.task
    if span.state == "mark":
        span.kind, span.name = (
            kind,
            _name(event, OLDER_SPELLINGS.get(event.event_type, event.event_type)),
        )
    elif span.state != "open":
        span.attempts += 1
        span.ended_seq = span.ended_at = span.error = None
        usage.begin_attempt(state, span)
    elif span.kind == "tool":
        span.message = text(event.payload, "message", "status") or span.message
        span.changed_seq = event.seq
        return
    else:
        return
    if event.phase:
        span.phase = event.phase
    span.work_item_id = text(event.payload, "work_item_id") or span.work_item_id
    span.work_type = text(event.payload, "work_type", "runner_version") or span.work_type
    before, span.state = span.state, "open"
    task.spans_open += 1
    span.changed_seq = task.spans_seq = event.seq
    if kind == "work_item":
        _count_item(
            state,
            span,
            event,
            total=before == "mark",
            failed=-(before == "failed"),
            done=-(before == "done"),
        )


def close(state: TaskState, span: Span, how: str, event: Event) -> None:
    task = state.task
    before, span.state = span.state, cast(Any, how)
    span.ended_seq, span.ended_at = event.seq, max(event.happened_at, span.started_at)
    span.changed_seq = task.spans_seq = event.seq
    task.spans_open -= before == "open"
    if how == "failed":
        span.error = text(event.payload, "message", "error_code", "explanation") or span.error
    elif how == "done":
        span.error = None
    done_change = (how == "done") - (before == "done")
    failed = (how == "failed") - (before == "failed")
    if span.kind == "work_item" and (done_change or failed):
        _count_item(state, span, event, done=done_change, failed=failed)


def reopen(state: TaskState, span: Span, event: Event) -> None:
    """Reopen a span that an interruption closed, as if it had been open all the time."""
    task = state.task
    span.state, span.ended_seq, span.ended_at = "open", None, None
    span.changed_seq = task.spans_seq = event.seq
    task.spans_open += 1


def _count_item(state: TaskState, span: Span, event: Event, total: int = 0, done: int = 0, failed: int = 0) -> None:
    task = state.task
    task.items_total += total
    task.items_done += done
    task.items_failed += failed
    if not task.reported_progress and task.items_total:
        task.progress = Progress(round(100 * task.items_done / task.items_total, 1), task.items_done, task.items_total)
    phase = state.phases.get(span.phase or "")
    if phase is not None:
        phase.items_total += total
        phase.items_done += done
        phase.items_failed += failed
        phase.changed_seq = task.phases_seq = event.seq


def item_progress(state: TaskState, event: Event, span: Span) -> None:
    progress = progress_of(event.payload)
    message = text(event.payload, "message", "explanation")
    if progress:
        span.progress = progress
    if message:
        span.message = message
    span.changed_seq = event.seq

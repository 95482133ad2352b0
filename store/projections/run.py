"""The projection of the run itself: its status, its end, its heartbeats."""

from __future__ import annotations

from signalbox.store.events import Event, is_claim, is_task_id
from signalbox.store.projections import allowances, phases, resources, spans
from signalbox.store.projections.payload import lowered, number, progress_of, text
from signalbox.store.state import ENDED_STATUSES, STATUSES, Span, Status, TaskState

MAX_RETRIES = 100
"""A task stores only this many retries, the first ones."""

MAX_CANCELS = 5
"""A task stores only this many requests to cancel its run, the first ones."""

_STATUS_WORDS: dict[str, Status] = {word: word for word in STATUSES} | {
    "success": "done",
    "succeeded": "done",
    "completed": "done",
    "complete": "done",
    "error": "failed",
    "failure": "failed",
    "canceled": "cancelled",
}


def set_status(state: TaskState, status: Status, event: Event) -> None:
    task = state.task
    if status == task.status:
        return
    if task.ended or status in ENDED_STATUSES:
        task.outcome_seq = event.seq
    task.status = status
    if status in ENDED_STATUSES:
        task.ended_at, task.ended_seq = max(event.happened_at, task.started_at or ""), event.seq
    elif status != "queued":
        task.started_at = task.started_at or event.happened_at
        task.ended_at = task.exit_code = task.error = None
        task.ended_seq = 0


def end_all(state: TaskState, event: Event) -> None:
    """Close the open spans and phases of an ended task. Called for the event that ends it and for later events."""
    status = state.task.status
    spans_end = status if status in ("cancelled", "interrupted", "failed") else "done"
    for span in state.spans.values() if state.task.spans_open else ():
        if span.state == "open":
            spans.close(state, span, spans_end, event)
    for phase in state.phases.values():
        if phase.state == "open":
            phases.close(state, phase, "done" if status == "done" else "failed", event)


def spawn(state: TaskState, event: Event, span: Span) -> None:
    task, payload = state.task, event.payload
    if task.ended and task.status != "interrupted":
        task.messages_since = event.seq
    if task.spawn_seq:
        allowances.forget(state, event)
    set_status(state, "running", event)
    pid = number(payload.get("runner_pid"))
    task.runner_pid = int(pid) if pid is not None else None
    task.runner_version = text(payload, "runner_version")
    task.cancel_requested = False
    if task.spawn_seq:
        task.cancel_seqs = []
    task.spawn_seq = event.seq
    _read_interval(state, event)


def heartbeat(state: TaskState, event: Event, span: Span) -> None:
    task = state.task
    task.heartbeats += 1
    task.heartbeat_seq, task.heartbeat_at = event.seq, event.created_at
    _read_interval(state, event)
    resources.report(state, event, span)


def _read_interval(state: TaskState, event: Event) -> None:
    interval = number(event.payload.get("heartbeat_interval"))
    if interval and interval > 0:
        state.task.heartbeat_interval = interval


def leave(state: TaskState, event: Event, span: Span) -> None:
    task, payload = state.task, event.payload
    _add_retry(state, event)
    code = number(payload.get("exit_code"))
    task.exit_code = int(code) if code is not None else None
    word = _STATUS_WORDS.get(lowered(payload, "status"))
    failed = bool(code) or bool(payload.get("error_code"))
    if word not in ENDED_STATUSES:
        word = "cancelled" if failed and task.cancel_requested else "failed" if failed else "done"
    if task.ended and task.status != word:
        task.status = "running"
    set_status(state, word, event)
    if word != "done":
        task.error = text(payload, "message", "error_code", "explanation")
        return
    task.message = text(payload, "message", "explanation") or task.message
    if not task.reported_progress and task.items_total == 0:
        task.progress = None


def status(state: TaskState, event: Event, span: Span) -> None:
    word = _STATUS_WORDS.get(lowered(event.payload, "status"))
    if word != "interrupted":
        # The reason of an interruption is stored as the error, which is cleared when the interruption is undone.
        state.task.message = text(event.payload, "message", "explanation") or state.task.message
    if word == "waiting" and not state.task.permissions_open:
        word = None
    if word and word != "queued":
        set_status(state, word, event)
    if word in ENDED_STATUSES and word != "done":
        state.task.error = text(event.payload, "explanation", "message", "error_code")


def progress_update(state: TaskState, event: Event, span: Span) -> None:
    progress = progress_of(event.payload)
    if progress is None:
        return
    if span.kind in ("work_item", "tool"):
        span.progress, span.changed_seq = progress, event.seq
    else:
        state.task.progress, state.task.reported_progress = progress, True


def recovery(state: TaskState, event: Event, span: Span) -> None:
    state.task.message = text(event.payload, "explanation", "message") or state.task.message


def cancel_requested(state: TaskState, event: Event, span: Span) -> None:
    if not (state.task.ended or is_claim(event)):
        state.task.cancel_requested = True
        if len(state.task.cancel_seqs) < MAX_CANCELS:
            state.task.cancel_seqs = [*state.task.cancel_seqs, event.seq]


def retry_requested(state: TaskState, event: Event, span: Span) -> None:
    if not is_claim(event):
        _add_retry(state, event)


def _add_retry(state: TaskState, event: Event) -> None:
    retry = event.payload.get("retry")
    if is_task_id(retry) and retry not in state.task.retries and len(state.task.retries) < MAX_RETRIES:
        state.task.retries = [*state.task.retries, retry]

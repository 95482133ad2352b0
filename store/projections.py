"""Projections: pure functions from (state, event) to state. No I/O, no clock.

The same fold is kept as tables inside the append transaction and runs over a log up to any seq for time travel.
`needs` names the rows an event can touch, so that an append never loads a whole task.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, cast

import msgspec

from store.events import OLDER_SPELLINGS, Event, NewEvent
from store.state import (
    ENDED,
    STATUSES,
    Checkpoint,
    Permission,
    Phase,
    Progress,
    Span,
    Status,
    Task,
    TaskState,
)

MAX_PHASES = 200
"""Phases beyond this many are kept in the log but are no stations: nobody reads a line with more."""

_STATUS_WORDS: dict[str, Status] = {word: word for word in STATUSES} | {
    "success": "done",
    "succeeded": "done",
    "completed": "done",
    "complete": "done",
    "error": "failed",
    "failure": "failed",
    "canceled": "cancelled",
}
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


class Needs(msgspec.Struct):
    """What must be loaded into a TaskState before some events are folded into it."""

    spans: set[str]
    checkpoints: set[str]
    permissions: set[str]
    open_spans: bool = False
    phases: bool = False
    open_permissions: bool = False


def needs(task: Task, events: Iterable[NewEvent | Event]) -> Needs:
    """The rows that `apply` may touch when it folds `events` into `task`."""
    found = Needs(spans=set(), checkpoints=set(), permissions=set())
    for event in events:
        found.spans.add(event.span_id or task.main_span_id)
        if event.parent_span_id:
            found.spans.add(event.parent_span_id)
        kind = event.event_type
        if kind == "log" and event.phase in (None, task.phase):
            continue
        found.phases = True
        if kind in ("runner_exit", "status"):
            found.open_spans = found.open_permissions = True
        elif kind.startswith("permission_"):
            found.open_permissions = True
            found.permissions.add(_text(event.payload, "request_id") or "")
        elif kind.startswith(("checkpoint_", "evidence_")):
            found.checkpoints.add(_checkpoint_id_in(event.payload))
    return found


def fold(task: Task, events: Iterable[Event]) -> TaskState:
    """Fold a whole log, from its first event on, into the state after the last one."""
    state = TaskState(task=task)
    for event in events:
        apply(state, event)
    return state


def apply(state: TaskState, event: Event) -> TaskState:
    """Fold one event into `state` (changed in place and returned). Hostile payloads are no error."""
    task, seq = state.task, event.seq
    before = _header(task)
    task.latest_seq = seq
    task.latest_event_id = event.event_id
    task.updated_at = event.created_at
    if not task.main_span_used:
        _choose_main_span(task, event)
    kind = OLDER_SPELLINGS.get(event.event_type, event.event_type)
    if task.status == "queued" or (task.status == "interrupted" and event.actor == "runner"):
        _set_status(state, "running", event)
    if event.phase != task.phase and event.phase is not None and kind != "phase_exit":
        _reach_phase(state, event)
    span = _span(state, event, kind)
    handler = _HANDLERS.get(kind)
    if handler:
        handler(state, event, span)
    if before != _header(task):
        task.header_seq = seq
    return state


def _header(task: Task) -> tuple[object, ...]:
    return (
        task.status,
        task.phase,
        task.progress,
        task.message,
        task.error,
        task.cancel_requested,
        task.items_done,
        task.items_total,
        task.items_failed,
        task.spans_total,
    )


def _choose_main_span(task: Task, event: Event) -> None:
    # The run names its own main span when its first event is a spawn; otherwise the generated one stands.
    if event.event_type == "runner_spawn" and event.parent_span_id is None:
        task.main_span_id = event.span_id
    task.main_span_used = task.main_span_id == event.span_id


def _text(payload: dict[str, Any], *names: str) -> str | None:
    for name in names:
        value = payload.get(name)
        if isinstance(value, str) and value:
            return value
        if isinstance(value, int | float) and not isinstance(value, bool):
            return str(value)
    return None


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or abs(value) > 1e15:
        return None
    return value


def _progress(payload: dict[str, Any]) -> Progress | None:
    given = payload.get("progress")
    if not isinstance(given, dict):
        return None
    current, total = _number(given.get("current")), _number(given.get("total"))
    percentage = _number(given.get("percentage"))
    if percentage is None:
        if current is None or not total:
            return None
        percentage = 100 * current / total
    return Progress(round(min(max(percentage, 0.0), 100.0), 1), current, total)


def _checkpoint_id_in(payload: dict[str, Any]) -> str:
    refs = payload.get("evidence_refs")
    return _text(payload, "checkpoint_id") or (_text(refs, "checkpoint_id") if isinstance(refs, dict) else None) or ""


def _set_status(state: TaskState, status: Status, event: Event) -> None:
    task = state.task
    if status == task.status:
        return
    task.status = status
    if status in ENDED:
        task.ended_at = event.created_at
        _end_all(state, status, event)
    elif status != "queued":
        task.started_at = task.started_at or event.created_at
        task.ended_at = task.exit_code = task.error = None


def _end_all(state: TaskState, status: Status, event: Event) -> None:
    spans_end = status if status in ("cancelled", "interrupted", "failed") else "done"
    for span in state.spans.values():
        if span.state == "open":
            _close_span(state, span, spans_end, event)
    for phase in state.phases.values():
        if phase.state == "open":
            _close_phase(state, phase, "done" if status == "done" else "failed", event)


# --- phases ---------------------------------------------------------------------------------------------------


def _reach_phase(state: TaskState, event: Event) -> None:
    """The run names a phase: it becomes the current one; phases nobody declared end when the next begins."""
    task, name = state.task, cast(str, event.phase)
    for other in state.phases.values():
        if other.state == "open" and not other.declared and other.phase != name:
            _close_phase(state, other, "done", event)
    task.phase = name
    task.phases_seq = event.seq
    if name not in state.phases and task.phases_total < MAX_PHASES:
        task.phases_total += 1
        state.phases[name] = Phase(
            phase=name,
            first_seq=event.seq,
            entered_at=event.created_at,
            changed_seq=event.seq,
        )


def _close_phase(state: TaskState, phase: Phase, how: str, event: Event) -> None:
    phase.state = "failed" if how == "failed" else "done"
    phase.exited_at = event.created_at
    phase.changed_seq = state.task.phases_seq = event.seq


def _phase_enter(state: TaskState, event: Event, span: Span) -> None:
    phase = state.phases.get(event.phase or "")
    if phase is None:
        return
    state.task.phase = phase.phase
    phase.declared = True
    if phase.state != "open":
        phase.state, phase.exited_at = "open", None
    phase.changed_seq = state.task.phases_seq = event.seq


def _phase_exit(state: TaskState, event: Event, span: Span) -> None:
    name = event.phase or span.phase
    phase = state.phases.get(name or "")
    if phase is not None and phase.state == "open":
        failed = bool(event.payload.get("error_code")) or event.payload.get("status") == "failed"
        _close_phase(state, phase, "failed" if failed else "done", event)
    if state.task.phase == name:
        still_open = [p for p in state.phases.values() if p.state == "open" and p.declared]
        state.task.phase = max(still_open, key=lambda p: p.first_seq).phase if still_open else None
    state.task.phases_seq = event.seq


# --- spans ----------------------------------------------------------------------------------------------------


def _span(state: TaskState, event: Event, kind: str) -> Span:
    """The event's span, made if it is new, opened or closed if the event says so."""
    task = state.task
    span = state.spans.get(event.span_id)
    if span is None:
        span = _new_span(state, event, kind)
    elif span.parent_span_id is None and event.parent_span_id:
        span.parent_span_id = event.parent_span_id
        span.changed_seq = task.spans_seq = event.seq
    opens = _OPENS.get(kind)
    if opens and (span.kind == opens or span.state == "mark"):
        _open_span(state, span, opens, event)
    closes = _CLOSES.get(kind)
    if closes and span.kind == closes and span.state == "open":
        failed = kind == "work_item_failed" or bool(event.payload.get("error_code"))
        _close_span(state, span, "failed" if failed else "done", event)
    return span


def _new_span(state: TaskState, event: Event, kind: str) -> Span:
    task = state.task
    parent = state.spans.get(event.parent_span_id or "")
    span = Span(
        span_id=event.span_id,
        parent_span_id=event.parent_span_id,
        kind="run" if event.span_id == task.main_span_id else "mark",
        name=_span_name(event, kind),
        phase=event.phase or (parent.phase if parent else None) or task.phase,
        started_seq=event.seq,
        started_at=event.created_at,
        changed_seq=event.seq,
    )
    if span.kind == "run":
        # The main span is open for as long as the run is, whether or not it was spawned in so many words.
        span.name, span.state = "run", "open"
        task.spans_open += 1
    state.spans[span.span_id] = span
    task.spans_total += 1
    task.spans_seq = event.seq
    return span


def _span_name(event: Event, kind: str) -> str:
    if kind in ("phase_enter", "phase_exit") and event.phase:
        return event.phase
    name = _text(event.payload, "name", "work_item_id", "tool_name")
    return (name or event.span_id)[:256]


def _open_span(state: TaskState, span: Span, kind: str, event: Event) -> None:
    task = state.task
    if span.state == "mark":
        span.kind, span.name = (
            kind,
            _span_name(event, OLDER_SPELLINGS.get(event.event_type, event.event_type)),
        )
    elif span.state != "open":
        span.attempts += 1
        span.ended_seq = span.ended_at = span.error = None
    elif span.kind == "tool":
        span.message = _text(event.payload, "message", "status") or span.message
        span.changed_seq = event.seq
        return
    else:
        return
    if event.phase:
        span.phase = event.phase
    span.work_item_id = _text(event.payload, "work_item_id") or span.work_item_id
    span.work_type = _text(event.payload, "work_type", "runner_version") or span.work_type
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


def _close_span(state: TaskState, span: Span, how: str, event: Event) -> None:
    task = state.task
    span.state = cast(Any, how)
    span.ended_seq, span.ended_at = event.seq, event.created_at
    span.changed_seq = task.spans_seq = event.seq
    task.spans_open -= 1
    if how == "failed":
        span.error = _text(event.payload, "message", "error_code", "explanation") or span.error
    if span.kind == "work_item" and how in ("done", "failed"):
        _count_item(state, span, event, done=how == "done", failed=how == "failed")


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


def _item_progress(state: TaskState, event: Event, span: Span) -> None:
    progress = _progress(event.payload)
    message = _text(event.payload, "message", "explanation")
    if progress:
        span.progress = progress
    if message:
        span.message = message
    span.changed_seq = event.seq


# --- the run --------------------------------------------------------------------------------------------------


def _runner_spawn(state: TaskState, event: Event, span: Span) -> None:
    task, payload = state.task, event.payload
    _set_status(state, "running", event)
    pid = _number(payload.get("runner_pid"))
    task.runner_pid = int(pid) if pid is not None else None
    task.runner_version = _text(payload, "runner_version")
    task.cancel_requested = False
    _heartbeat(state, event, span)


def _heartbeat(state: TaskState, event: Event, span: Span) -> None:
    interval = _number(event.payload.get("heartbeat_interval"))
    if interval and interval > 0:
        state.task.heartbeat_interval = interval


def _runner_exit(state: TaskState, event: Event, span: Span) -> None:
    task, payload = state.task, event.payload
    code = _number(payload.get("exit_code"))
    task.exit_code = int(code) if code is not None else None
    word = _STATUS_WORDS.get(str(payload.get("status", "")).lower())
    failed = bool(code) or bool(payload.get("error_code"))
    if word not in ENDED:
        word = "cancelled" if failed and task.cancel_requested else "failed" if failed else "done"
    if task.ended and task.status != word:
        task.status = "running"
    _set_status(state, word, event)
    if word != "done":
        task.error = _text(payload, "message", "error_code", "explanation")
    elif not task.reported_progress and task.items_total == 0:
        task.progress = None


def _status(state: TaskState, event: Event, span: Span) -> None:
    word = _STATUS_WORDS.get(str(event.payload.get("status", "")).lower())
    state.task.message = _text(event.payload, "message", "explanation") or state.task.message
    if word == "waiting" and not state.task.permissions_open:
        word = None
    if word and word != "queued":
        _set_status(state, word, event)
    if word in ENDED and word != "done":
        state.task.error = _text(event.payload, "explanation", "message", "error_code")


def _progress_update(state: TaskState, event: Event, span: Span) -> None:
    progress = _progress(event.payload)
    if progress is None:
        return
    if span.kind in ("work_item", "tool"):
        span.progress, span.changed_seq = progress, event.seq
    else:
        state.task.progress, state.task.reported_progress = progress, True


def _recovery(state: TaskState, event: Event, span: Span) -> None:
    state.task.message = _text(event.payload, "explanation", "message") or state.task.message


def _cancel_requested(state: TaskState, event: Event, span: Span) -> None:
    if not state.task.ended:
        state.task.cancel_requested = True


# --- checkpoints and evidence ---------------------------------------------------------------------------------


def _checkpoint_commit(state: TaskState, event: Event, span: Span) -> None:
    checkpoint_id = checkpoint_id_of(event)
    refs = event.payload.get("evidence_refs")
    known = state.checkpoints.get(checkpoint_id)
    state.task.checkpoints_total += known is None
    state.checkpoints[checkpoint_id] = Checkpoint(
        checkpoint_id=checkpoint_id,
        checkpoint_type=_text(event.payload, "checkpoint_type"),
        phase=event.phase,
        span_id=event.span_id,
        evidence_refs=refs if isinstance(refs, dict) else {},
        evidence_total=known.evidence_total if known else 0,
        message=_text(event.payload, "message", "explanation"),
        seq=event.seq,
        created_at=event.created_at,
        changed_seq=event.seq,
    )
    state.task.checkpoints_seq = event.seq


def _checkpoint_checked(state: TaskState, event: Event, span: Span) -> None:
    checkpoint = state.checkpoints.get(_checkpoint_id_in(event.payload))
    if checkpoint is None:
        return
    checkpoint.state = "verified" if event.event_type == "checkpoint_verified" else "invalid"
    checkpoint.message = _text(event.payload, "message", "explanation") or checkpoint.message
    checkpoint.changed_seq = state.task.checkpoints_seq = event.seq


def _evidence(state: TaskState, event: Event, span: Span) -> None:
    checkpoint = state.checkpoints.get(_checkpoint_id_in(event.payload))
    if checkpoint is not None:
        checkpoint.evidence_total += 1
        checkpoint.changed_seq = state.task.checkpoints_seq = event.seq


# --- permissions ----------------------------------------------------------------------------------------------


def request_id_of(event: Event) -> str:
    """The id of the permission request that `event` opens: its payload's, else one made from its seq."""
    return _text(event.payload, "request_id") or f"request-{event.seq}"


def _permission_request(state: TaskState, event: Event, span: Span) -> None:
    request_id = request_id_of(event)
    if request_id in state.permissions:
        return
    state.permissions[request_id] = Permission(
        request_id=request_id,
        tool_name=_text(event.payload, "tool_name") or "permission",
        arguments=event.payload.get("arguments"),
        reason=_text(event.payload, "reason", "message", "explanation"),
        expires_at=_text(event.payload, "expires_at"),
        phase=event.phase or state.task.phase,
        span_id=event.span_id,
        seq=event.seq,
        created_at=event.created_at,
        changed_seq=event.seq,
    )
    state.task.permissions_open += 1
    state.task.permissions_seq = event.seq
    if not state.task.ended:
        _set_status(state, "waiting", event)


def _permission_closed(state: TaskState, event: Event, span: Span) -> None:
    payload, task = event.payload, state.task
    request_id = _text(payload, "request_id")
    if request_id is None and event.event_type == "permission_response":
        opened = [p for p in state.permissions.values() if p.state == "open"]
        request_id = max(opened, key=lambda p: p.seq).request_id if opened else None
    permission = state.permissions.get(request_id or "")
    if permission is None or permission.state != "open":
        return
    if event.event_type == "permission_response":
        permission.state = "approved" if payload.get("approved") is True else "denied"
    else:
        permission.state = "expired" if payload.get("cause") == "expired" else "cleared"
    permission.by = _text(payload, "by") or event.actor
    permission.answer_reason = _text(payload, "reason", "message")
    permission.closed_seq, permission.closed_at = event.seq, event.created_at
    permission.changed_seq = task.permissions_seq = event.seq
    task.permissions_open -= 1
    if task.permissions_open == 0 and task.status == "waiting":
        _set_status(state, "running", event)


_HANDLERS: dict[str, Callable[[TaskState, Event, Span], None]] = {
    "runner_spawn": _runner_spawn,
    "runner_exit": _runner_exit,
    "runner_heartbeat": _heartbeat,
    "phase_enter": _phase_enter,
    "phase_exit": _phase_exit,
    "work_item_progress": _item_progress,
    "status": _status,
    "progress_update": _progress_update,
    "recovery_initiated": _recovery,
    "recovery_complete": _recovery,
    "cancel_requested": _cancel_requested,
    "checkpoint_commit": _checkpoint_commit,
    "checkpoint_verified": _checkpoint_checked,
    "checkpoint_invalid": _checkpoint_checked,
    "evidence_collected": _evidence,
    "evidence_linked": _evidence,
    "permission_request": _permission_request,
    "permission_response": _permission_closed,
    "permission_cleared": _permission_closed,
}


# --- rules of the append --------------------------------------------------------------------------------------


def refusal(state: TaskState, event: NewEvent) -> str | None:
    """Why the log must not take `event` now, or None. The first answer to a permission wins."""
    if event.event_type != "permission_response":
        return None
    request_id = _text(event.payload, "request_id")
    if request_id is None:
        return None if state.task.permissions_open else "no permission request is open"
    permission = state.permissions.get(request_id)
    if permission is None:
        return f"there is no permission request {request_id!r}"
    if permission.state != "open":
        return f"permission request {request_id!r} was already {permission.state} by {permission.by}"
    return None


def consequences(state: TaskState, event: Event) -> list[NewEvent]:
    """The events that must follow `event` in the same transaction: an ended task leaves no question open."""
    if not (state.task.ended and state.task.permissions_open):
        return []
    return [
        NewEvent(
            event_type="permission_cleared",
            actor="supervisor",
            span_id=event.span_id,
            payload={
                "request_id": permission.request_id,
                "cause": "task_ended",
                "message": f"the task is {state.task.status}",
            },
        )
        for permission in state.permissions.values()
        if permission.state == "open"
    ]


def checkpoint_id_of(event: Event) -> str:
    """The id of the checkpoint that `event` is about, "" if it names none."""
    named = _checkpoint_id_in(event.payload)
    return named or (f"checkpoint-{event.seq}" if event.event_type == "checkpoint_commit" else "")

"""The projection of phases, in the order in which the log first names them."""

from __future__ import annotations

from typing import cast

from signalbox.store.events import Event
from signalbox.store.state import Phase, Span, TaskState

MAX_PHASES = 200
"""The projection contains only this many phases. Later ones are only in the log."""


def reach(state: TaskState, event: Event) -> None:
    """Make the phase that `event` names the current one. Open phases without a `phase_enter` end here."""
    task, name = state.task, cast(str, event.phase)
    for other in state.phases.values():
        if other.state == "open" and not other.declared and other.phase != name:
            close(state, other, "done", event)
    task.phase = name
    task.phases_seq = event.seq
    if name not in state.phases and task.phases_total < MAX_PHASES:
        task.phases_total += 1
        state.phases[name] = Phase(
            phase=name,
            first_seq=event.seq,
            entered_at=event.happened_at,
            changed_seq=event.seq,
        )


def close(state: TaskState, phase: Phase, how: str, event: Event) -> None:
    phase.state = "failed" if how == "failed" else "done"
    phase.exited_at, phase.exited_seq = max(event.happened_at, phase.entered_at), event.seq
    phase.changed_seq = state.task.phases_seq = event.seq


def enter(state: TaskState, event: Event, span: Span) -> None:
    phase = state.phases.get(event.phase or "")
    if phase is None:
        return
    state.task.phase = phase.phase
    phase.declared = True
    if phase.state != "open":
        reopen(state, phase, event)
    phase.changed_seq = state.task.phases_seq = event.seq


def reopen(state: TaskState, phase: Phase, event: Event) -> None:
    phase.state, phase.exited_at, phase.exited_seq = "open", None, None
    phase.changed_seq = state.task.phases_seq = event.seq


def leave(state: TaskState, event: Event, span: Span) -> None:
    name = event.phase or span.phase
    phase = state.phases.get(name or "")
    if phase is not None:
        failed = bool(event.payload.get("error_code")) or event.payload.get("status") == "failed"
        how = "failed" if failed else "done"
        # The outcome in the phase's own exit event overrides the outcome from an earlier end of the run.
        if phase.state != how:
            close(state, phase, how, event)
    if state.task.phase == name:
        still_open = [p for p in state.phases.values() if p.state == "open" and p.declared]
        state.task.phase = max(still_open, key=lambda p: p.first_seq).phase if still_open else None
    state.task.phases_seq = event.seq

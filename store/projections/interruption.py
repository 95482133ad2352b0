"""An interruption is a guess of the supervisor: the run that speaks again takes it back."""

from __future__ import annotations

from signalbox.store.events import Event, NewEvent
from signalbox.store.projections import permissions, phases, run, spans
from signalbox.store.state import TaskState

BESIDE_THE_RUN = frozenset({"supervisor", "lease", "user"})
"""Actors whose events are no sign of life of the run."""

SAID_TO_THE_RUN = frozenset({"permission_response", "cancel_requested", "retry_requested"})
"""Types of events with which people speak to the run, whatever actor they name."""

NEW_RUN = "runner_spawn"
"""Another process begins: the spans and questions of the interrupted one are not its own."""


def of_the_run(event: NewEvent | Event) -> bool:
    """Whether the interrupted run itself speaks, and not a person, the server, or whoever looks after the run."""
    kind = event.event_type
    return event.actor not in BESIDE_THE_RUN and kind not in SAID_TO_THE_RUN and kind != NEW_RUN


def come_back(state: TaskState, event: Event) -> None:
    """An interrupted run speaks: undo the interruption, then let the event say what it says."""
    task = state.task
    permissions.reopen(state, event)
    for span in state.spans.values():
        if span.state == "interrupted" and (span.ended_seq or 0) >= task.ended_seq:
            spans.reopen(state, span, event)
    for phase in state.phases.values():
        if phase.state == "failed" and (phase.exited_seq or 0) >= task.ended_seq:
            phases.reopen(state, phase, event)
    run.set_status(state, "waiting" if task.permissions_open else "running", event)

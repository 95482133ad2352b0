"""Undoing an interruption: the supervisor assumes that a run died, and the run's next event proves it alive."""

from __future__ import annotations

from signalbox.store.events import PEOPLE_EVENTS, Event, NewEvent
from signalbox.store.projections import permissions, phases, run, spans
from signalbox.store.state import TaskState

OTHER_ACTORS = frozenset({"supervisor", "lease", "user"})
"""Actors whose events do not prove that the run is alive."""

ADDRESSED_TO_THE_RUN = PEOPLE_EVENTS
"""Types of events that people send to the run, whatever their actor."""

NEW_RUN = "runner_spawn"
"""The type of the event that starts another process. Spans and requests of the interrupted process stay closed."""


def is_from_the_run(event: NewEvent | Event) -> bool:
    """Return whether the event comes from the interrupted run itself, and not from a person, the server or a lease."""
    kind = event.event_type
    return event.actor not in OTHER_ACTORS and kind not in ADDRESSED_TO_THE_RUN and kind != NEW_RUN


def undo(state: TaskState, event: Event) -> None:
    """Undo the interruption of a run that emitted `event`. The caller then folds the event itself."""
    task = state.task
    permissions.reopen(state, event)
    for span in state.spans.values():
        if span.state == "interrupted" and (span.ended_seq or 0) >= task.ended_seq:
            spans.reopen(state, span, event)
    for phase in state.phases.values():
        if phase.state == "failed" and (phase.exited_seq or 0) >= task.ended_seq:
            phases.reopen(state, phase, event)
    run.set_status(state, "waiting" if task.permissions_open else "running", event)

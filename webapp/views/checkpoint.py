"""One checkpoint: its references, its evidence, and the other events that name it."""

from __future__ import annotations

from dataclasses import dataclass

from werkzeug.exceptions import NotFound

from signalbox.store import Event, TaskReading
from signalbox.store.events import CHECKPOINT_EVENTS, EVIDENCE_EVENTS
from signalbox.store.projections import checkpoint_id_of
from signalbox.store.state import Checkpoint, Span, Task

EVENTS = 500
"""Events of a checkpoint that its page shows, and those of one read."""

READS = 20
"""Reads for the events of one checkpoint. Those of ids that contain its id, such as c12 for c1, are found too."""

RELATED_EVENTS = (*CHECKPOINT_EVENTS, *EVIDENCE_EVENTS, "recovery_checkpoint_loaded", "permission_request")


@dataclass(frozen=True, kw_only=True)
class CheckpointView:
    """A checkpoint of `task`, the span that committed it, the events linked to it and the others that name it.

    `more` says that the log may have more events that name it.
    """

    task: Task
    checkpoint: Checkpoint
    span: Span | None
    evidence: list[Event]
    others: list[Event]
    more: bool


async def checkpoint_view(view: TaskReading, task_id: str, checkpoint_id: str) -> CheckpointView:
    """Return a checkpoint with the first EVENTS events that name it. Raises UnknownTask or NotFound."""
    task = await view.task(task_id)
    checkpoint = await view.checkpoint(task_id, checkpoint_id)
    if checkpoint is None:
        raise NotFound
    found, more = await _naming(view, task_id, checkpoint_id)
    # A commit without an id gets one from its seq.
    about = {event.seq: event for event in [*found, *await view.brief().events_at(task_id, [checkpoint.seq])]}
    events = [about[seq] for seq in sorted(about)]
    return CheckpointView(
        task=task,
        checkpoint=checkpoint,
        span=await view.span(task_id, checkpoint.span_id),
        evidence=[event for event in events if event.event_type in EVIDENCE_EVENTS],
        others=[event for event in events if event.event_type not in EVIDENCE_EVENTS],
        more=more,
    )


async def _naming(view: TaskReading, task_id: str, checkpoint_id: str) -> tuple[list[Event], bool]:
    """Return the first EVENTS events about a checkpoint, and whether there may be more."""
    found: list[Event] = []
    after = 0
    for _ in range(READS):
        events = await view.brief().events_of_types(task_id, RELATED_EVENTS, EVENTS, naming=checkpoint_id, after=after)
        found += [event for event in events if checkpoint_id_of(event) == checkpoint_id]
        if len(found) > EVENTS:
            return found[:EVENTS], True
        if len(events) < EVENTS:
            return found, False
        after = events[-1].seq
    return found, True

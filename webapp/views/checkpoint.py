"""One checkpoint: its references, its evidence, and the other events that name it."""

from __future__ import annotations

from dataclasses import dataclass

from werkzeug.exceptions import NotFound

from signalbox.store import Event, TaskReading
from signalbox.store.events import CHECKPOINT_EVENTS, EVIDENCE_EVENTS
from signalbox.store.projections import checkpoint_id_of
from signalbox.store.state import Checkpoint, Span, Task

EVENTS = 500
RELATED_EVENTS = (*CHECKPOINT_EVENTS, *EVIDENCE_EVENTS, "recovery_checkpoint_loaded", "permission_request")


@dataclass(frozen=True, kw_only=True)
class CheckpointView:
    """A checkpoint of `task`, the span that committed it, the events linked to it and the others that name it."""

    task: Task
    checkpoint: Checkpoint
    span: Span | None
    evidence: list[Event]
    others: list[Event]


async def checkpoint_view(view: TaskReading, task_id: str, checkpoint_id: str) -> CheckpointView:
    """Return a checkpoint with the first EVENTS events that name it. Raises UnknownTask or NotFound."""
    task = await view.task(task_id)
    checkpoint = await view.checkpoint(task_id, checkpoint_id)
    if checkpoint is None:
        raise NotFound
    events = await view.brief().events_of_types(task_id, RELATED_EVENTS, EVENTS, naming=checkpoint_id)
    about = {event.seq: event for event in events if checkpoint_id_of(event) == checkpoint_id}
    # A commit without an id gets one from its seq.
    about |= {event.seq: event for event in await view.brief().events_at(task_id, [checkpoint.seq])}
    events = [about[seq] for seq in sorted(about)]
    return CheckpointView(
        task=task,
        checkpoint=checkpoint,
        span=await view.span(task_id, checkpoint.span_id),
        evidence=[event for event in events if event.event_type in EVIDENCE_EVENTS],
        others=[event for event in events if event.event_type not in EVIDENCE_EVENTS],
    )

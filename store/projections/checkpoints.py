"""The projection of checkpoints and of the evidence linked to them."""

from __future__ import annotations

from signalbox.store.events import Event
from signalbox.store.projections.payload import checkpoint_id_in, checkpoint_id_of, text
from signalbox.store.state import Checkpoint, Span, TaskState


def commit(state: TaskState, event: Event, span: Span) -> None:
    checkpoint_id = checkpoint_id_of(event)
    refs = event.payload.get("evidence_refs")
    known = state.checkpoints.get(checkpoint_id)
    state.task.checkpoints_total += known is None
    state.checkpoints[checkpoint_id] = Checkpoint(
        checkpoint_id=checkpoint_id,
        checkpoint_type=text(event.payload, "checkpoint_type"),
        phase=event.phase,
        span_id=event.span_id,
        evidence_refs=refs if isinstance(refs, dict) else {},
        evidence_total=known.evidence_total if known else 0,
        message=text(event.payload, "message", "explanation"),
        seq=event.seq,
        created_at=event.happened_at,
        changed_seq=event.seq,
    )
    state.task.checkpoints_seq = event.seq


def checked(state: TaskState, event: Event, span: Span) -> None:
    checkpoint = state.checkpoints.get(checkpoint_id_in(event.payload))
    if checkpoint is None:
        return
    checkpoint.state = "verified" if event.event_type == "checkpoint_verified" else "invalid"
    checkpoint.message = text(event.payload, "message", "explanation") or checkpoint.message
    checkpoint.changed_seq = state.task.checkpoints_seq = event.seq


def evidence(state: TaskState, event: Event, span: Span) -> None:
    checkpoint = state.checkpoints.get(checkpoint_id_in(event.payload))
    if checkpoint is not None:
        checkpoint.evidence_total += 1
        checkpoint.changed_seq = state.task.checkpoints_seq = event.seq

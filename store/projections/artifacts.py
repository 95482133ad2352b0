"""The projection of artifacts."""

from __future__ import annotations

from signalbox.store.artifacts import UNKNOWN_TYPE, stored_content
from signalbox.store.events import Event, is_claim
from signalbox.store.projections.payload import text
from signalbox.store.state import Artifact, Span, TaskState


def stored(state: TaskState, event: Event, span: Span | None) -> None:
    content = stored_content(event.payload)
    if content is None or is_claim(event):
        return
    state.artifacts[event.seq] = Artifact(
        seq=event.seq,
        name=text(event.payload, "name") or "artifact",
        content_type=text(event.payload, "content_type") or UNKNOWN_TYPE,
        sha256=content.sha256,
        size=content.size,
        span_id=event.span_id,
        created_at=event.happened_at,
    )
    state.task.artifacts_total += 1
    state.task.artifacts_seq = event.seq

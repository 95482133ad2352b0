"""Where in a run an event comes from: the run itself, a phase, a work item, a tool call."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Generic

from signalbox.store.emitter.fitting import text_of
from signalbox.store.emitter.open_run import OpenRun
from signalbox.store.emitter.vocabulary import R, Vocabulary


class SpanScope(Generic[R]):
    """Sends events that carry its span and its phase. In asyncio each sending call is awaited.

    A keyword that a method does not name becomes a field of the payload.
    """

    task_id: str
    actor = "runner"

    def __init__(self, run: OpenRun[R], span_id: str, phase: str | None, parent_span_id: str | None) -> None:
        self.run = run
        self.task_id = run.task_id
        self.span_id = span_id
        self.parent_span_id = parent_span_id
        self.phase_name = phase

    @property
    def emitter(self) -> Vocabulary[R]:
        """The emitter of this run, for events that have no method here."""
        return self.run.emitter

    @property
    def here(self) -> SpanScope[R]:
        """The scope that speaks: this one, but for a run the innermost one that is open around the caller."""
        return self

    def log(self, message: str, *, level: str | None = None, stream: str | None = None, **payload: Any) -> R:
        """A line of the log; `stream` tells `stdout` from `stderr`."""
        at = self.here
        fields = {"actor": at.actor, "level": level, "stream": stream, **payload}
        return self.emitter.emit_log(self.task_id, at.span_id, message, phase=at.phase_name, **fields)

    def status(self, message: str, status: str = "running", **payload: Any) -> R:
        """What the run is doing, in words."""
        at, fields = self.here, {"message": text_of(message), **payload}
        return self.emitter.emit_status(self.task_id, at.span_id, status, phase=at.phase_name, **fields)

    def progress(self, current: float, total: float | None = None, **payload: Any) -> R:
        """How far the whole run is, wherever this is called: `current` of `total`, whatever it counts."""
        return self.emitter.emit_progress_update(
            self.task_id, self.run.span_id, current, total, phase=self.here.phase_name, **payload
        )

    def evidence(self, evidence_type: str, evidence_id: str, **payload: Any) -> R:
        """Something that proves what was done; with `checkpoint_id=` it counts for that checkpoint."""
        at = self.here
        return self.emitter.emit_evidence_collected(
            self.task_id, at.span_id, at.phase_name, evidence_type, evidence_id, **payload
        )

    def checkpoint(
        self,
        checkpoint_id: str,
        checkpoint_type: str = "state",
        *,
        artifacts: Iterable[str] = (),
        work_items: Iterable[str] = (),
        commit_hash: str | None = None,
        **payload: Any,
    ) -> R:
        """A state of the work to which the run can come back, and what it stands on."""
        at = self.here
        refs = {
            "checkpoint_id": checkpoint_id,
            "artifacts": list(artifacts or ()),
            "work_items": list(work_items or ()),
            "commit_hash": commit_hash,
        }
        refs = {name: value for name, value in refs.items() if value}
        return self.emitter.emit_checkpoint_commit(
            self.task_id, at.span_id, checkpoint_id, checkpoint_type, at.phase_name, refs, **payload
        )

    def checkpoint_verified(self, checkpoint_id: str, **payload: Any) -> R:
        """The checkpoint was looked at again, and holds."""
        at = self.here
        return self.emitter.emit_checkpoint_verified(
            self.task_id, at.span_id, checkpoint_id, phase=at.phase_name, **payload
        )

    def checkpoint_invalid(self, checkpoint_id: str, **payload: Any) -> R:
        """The checkpoint was looked at again, and does not hold."""
        at = self.here
        return self.emitter.emit_checkpoint_invalid(
            self.task_id, at.span_id, checkpoint_id, phase=at.phase_name, **payload
        )

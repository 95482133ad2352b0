"""The scope of an event within a run: the run itself, a phase, a work item or a tool call."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Generic

from signalbox.store.emitter.artifacts import FileSource
from signalbox.store.emitter.fit_payload import text_of
from signalbox.store.emitter.open_run import OpenRun
from signalbox.store.emitter.vocabulary import R, Vocabulary


class SpanScope(Generic[R]):
    """Emits events with its span and its phase. In asyncio, each call that emits must be awaited.

    Keywords that a method does not declare become fields of the payload.
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
        """The emitter of this run, for events without a method here."""
        return self.run.emitter

    @property
    def here(self) -> SpanScope[R]:
        """The scope of emitted events: this one, or for a run, the innermost scope that is open around the caller."""
        return self

    def log(self, message: str, *, level: str | None = None, stream: str | None = None, **payload: Any) -> R:
        """Emit a log line. `stream` is `stdout` or `stderr`, if the line comes from a command."""
        at = self.here
        fields = {"actor": at.actor, "level": level, "stream": stream, **payload}
        return self.emitter.emit_log(self.task_id, at.span_id, message, phase=at.phase_name, **fields)

    def status(self, message: str, status: str = "running", **payload: Any) -> R:
        """Emit a message that says what the run is doing."""
        at, fields = self.here, {"message": text_of(message), **payload}
        return self.emitter.emit_status(self.task_id, at.span_id, status, phase=at.phase_name, **fields)

    def progress(self, current: float, total: float | None = None, **payload: Any) -> R:
        """Emit the progress of the whole run, from any scope: `current` of `total`, in any unit."""
        return self.emitter.emit_progress_update(
            self.task_id, self.run.span_id, current, total, phase=self.here.phase_name, **payload
        )

    def tag(self, tags: Mapping[str, Any] | None = None, **more: Any) -> R:
        """Set tags of the task: `task.tag(branch="main")`, or `task.tag({"build-id": 412})`. None removes a tag."""
        return self.emitter.emit_tags_changed(self.task_id, {**(tags or {}), **more})

    def link(self, name: str, url: str | None) -> R:
        """Set a link of the task, such as `task.link("report", "https://…")`. None removes it."""
        return self.emitter.emit_links_changed(self.task_id, {name: url})

    def artifact(self, source: FileSource, name: str | None = None, content_type: str | None = None) -> R:
        """Store a file in the store, given by its path or its content; the page of the task shows it.

        `name` is by default that of the file, and `content_type` that of the name. A file that cannot be stored, for
        instance because it is too large, is a warning in the log; with `strict` it raises OSError or InvalidEvent.
        """
        at = self.here
        return self.emitter.add_artifact(
            self.task_id,
            source,
            name,
            content_type=content_type,
            actor=at.actor,
            span_id=at.span_id,
            phase=at.phase_name,
        )

    def evidence(self, evidence_type: str, evidence_id: str, **payload: Any) -> R:
        """Emit evidence of completed work. With `checkpoint_id=` it is linked to that checkpoint."""
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
        """Emit a checkpoint: a state of the work to which the run can return, with references to its evidence."""
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
        """Emit that a check found the checkpoint valid."""
        at = self.here
        return self.emitter.emit_checkpoint_verified(
            self.task_id, at.span_id, checkpoint_id, phase=at.phase_name, **payload
        )

    def checkpoint_invalid(self, checkpoint_id: str, **payload: Any) -> R:
        """Emit that a check found the checkpoint invalid."""
        at = self.here
        return self.emitter.emit_checkpoint_invalid(
            self.task_id, at.span_id, checkpoint_id, phase=at.phase_name, **payload
        )

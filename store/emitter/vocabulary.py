"""The `emit_*` methods, defined once for synchronous code and for asyncio."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from signalbox.store.emitter.artifacts import FileSource
from signalbox.store.emitter.fit_payload import progress, text_of
from signalbox.store.emitter.labels import LabelVocabulary
from signalbox.store.emitter.labels import R as R
from signalbox.store.events import NewEvent


class Vocabulary(LabelVocabulary[R], ABC):
    """Has an `emit_*` method per event type, which appends one event and returns the result of `append`.

    All methods also take `phase`, `parent_span_id`, `actor`, `key` (the idempotency key) and `occurred_at`. Other
    keywords become fields of the payload. Fields with the value None are left out.
    """

    @abstractmethod
    def append(self, task_id: str, event: NewEvent) -> R:
        """Append one event."""

    def emit(
        self,
        task_id: str,
        event_type: str,
        span_id: str | None = None,
        *,
        actor: str = "runner",
        phase: str | None = None,
        parent_span_id: str | None = None,
        key: str | None = None,
        occurred_at: str | datetime | None = None,
        **payload: Any,
    ) -> R:
        """Append an event of any type. Without `span_id` it gets the task's main span.

        `occurred_at` is the time when the event happened, with a zone, if it happened before it is appended.
        """
        event = NewEvent(
            event_type=event_type,
            phase=phase,
            actor=actor,
            span_id=span_id,
            parent_span_id=parent_span_id,
            payload={name: value for name, value in payload.items() if value is not None},
            key=key,
            occurred_at=occurred_at.isoformat() if isinstance(occurred_at, datetime) else occurred_at,
        )
        return self.append(task_id, event)

    @abstractmethod
    def add_artifact(
        self,
        task_id: str,
        source: FileSource,
        name: str | None = None,
        *,
        content_type: str | None = None,
        actor: str = "runner",
        span_id: str | None = None,
        phase: str | None = None,
    ) -> R:
        """Store a file, and return its event `artifact_stored`. Without `strict`, a failure is a line of the log."""

    # the run

    def emit_runner_spawn(
        self, task_id: str, span_id: str, runner_pid: int | None, runner_version: str | None, **fields: Any
    ) -> R:
        return self.emit(
            task_id, "runner_spawn", span_id, runner_pid=runner_pid, runner_version=runner_version, **fields
        )

    def emit_runner_heartbeat(self, task_id: str, span_id: str, **fields: Any) -> R:
        return self.emit(task_id, "runner_heartbeat", span_id, **fields)

    def emit_runner_exit(self, task_id: str, span_id: str, exit_code: int = 0, **fields: Any) -> R:
        return self.emit(task_id, "runner_exit", span_id, exit_code=exit_code, **fields)

    def emit_status(self, task_id: str, span_id: str | None, status: str, **fields: Any) -> R:
        return self.emit(task_id, "status", span_id, status=status, **fields)

    def emit_progress_update(
        self, task_id: str, span_id: str | None, current: float, total: float | None = None, **fields: Any
    ) -> R:
        return self.emit(task_id, "progress_update", span_id, progress=progress(current, total), **fields)

    def emit_log(self, task_id: str, span_id: str | None, message: str, **fields: Any) -> R:
        return self.emit(task_id, "log", span_id, message=text_of(message), **fields)

    def emit_cancel_requested(self, task_id: str, by: str | None = None, **fields: Any) -> R:
        return self.emit(task_id, "cancel_requested", **{"actor": "user", "by": by, **fields})

    def emit_retry_requested(self, task_id: str, retry: str, by: str | None = None, **fields: Any) -> R:
        return self.emit(task_id, "retry_requested", **{"actor": "user", "retry": retry, "by": by, **fields})

    # phases and work items

    def emit_phase_enter(
        self, task_id: str, span_id: str, phase: str, parent_span_id: str | None = None, **fields: Any
    ) -> R:
        return self.emit(task_id, "phase_enter", span_id, phase=phase, parent_span_id=parent_span_id, **fields)

    def emit_phase_exit(self, task_id: str, span_id: str, phase: str, **fields: Any) -> R:
        return self.emit(task_id, "phase_exit", span_id, phase=phase, **fields)

    def emit_work_item_start(
        self, task_id: str, span_id: str, parent_span_id: str | None, work_item_id: str, work_type: str, **fields: Any
    ) -> R:
        return self._work_item("start", task_id, span_id, parent_span_id, work_item_id, work_type, fields)

    def emit_work_item_progress(
        self, task_id: str, span_id: str, work_item_id: str, current: float, total: float | None = None, **fields: Any
    ) -> R:
        fields = {"actor": "worker", "progress": progress(current, total), **fields}
        return self.emit(task_id, "work_item_progress", span_id, work_item_id=work_item_id, **fields)

    def emit_work_item_complete(
        self, task_id: str, span_id: str, parent_span_id: str | None, work_item_id: str, work_type: str, **fields: Any
    ) -> R:
        return self._work_item("complete", task_id, span_id, parent_span_id, work_item_id, work_type, fields)

    def emit_work_item_failed(
        self, task_id: str, span_id: str, parent_span_id: str | None, work_item_id: str, work_type: str, **fields: Any
    ) -> R:
        return self._work_item("failed", task_id, span_id, parent_span_id, work_item_id, work_type, fields)

    def _work_item(
        self,
        step: str,
        task_id: str,
        span_id: str,
        parent_span_id: str | None,
        work_item_id: str,
        work_type: str,
        fields: Mapping[str, Any],
    ) -> R:
        fields = {"actor": "worker", "work_item_id": work_item_id, "work_type": work_type, **fields}
        return self.emit(task_id, f"work_item_{step}", span_id, parent_span_id=parent_span_id, **fields)

    # checkpoints, evidence, recovery

    def emit_checkpoint_commit(
        self,
        task_id: str,
        span_id: str,
        checkpoint_id: str,
        checkpoint_type: str,
        phase: str | None,
        evidence_refs: Mapping[str, Any],
        **fields: Any,
    ) -> R:
        fields = {"checkpoint_type": checkpoint_type, "evidence_refs": evidence_refs, **fields}
        return self._checkpoint("commit", task_id, span_id, checkpoint_id, {"phase": phase, **fields})

    def emit_checkpoint_verified(self, task_id: str, span_id: str, checkpoint_id: str, **fields: Any) -> R:
        return self._checkpoint("verified", task_id, span_id, checkpoint_id, fields)

    def emit_checkpoint_invalid(self, task_id: str, span_id: str, checkpoint_id: str, **fields: Any) -> R:
        return self._checkpoint("invalid", task_id, span_id, checkpoint_id, fields)

    def _checkpoint(self, step: str, task_id: str, span_id: str, checkpoint_id: str, fields: Mapping[str, Any]) -> R:
        fields = {"actor": "supervisor", "checkpoint_id": checkpoint_id, **fields}
        return self.emit(task_id, f"checkpoint_{step}", span_id, **fields)

    def emit_evidence_collected(
        self, task_id: str, span_id: str, phase: str | None, evidence_type: str, evidence_id: str, **fields: Any
    ) -> R:
        fields = {"actor": "supervisor", "evidence_type": evidence_type, "evidence_id": evidence_id, **fields}
        return self.emit(task_id, "evidence_collected", span_id, phase=phase, **fields)

    def emit_evidence_linked(
        self, task_id: str, span_id: str, phase: str | None, evidence_id: str, checkpoint_id: str, **fields: Any
    ) -> R:
        fields = {"actor": "supervisor", "evidence_id": evidence_id, "checkpoint_id": checkpoint_id, **fields}
        return self.emit(task_id, "evidence_linked", span_id, phase=phase, **fields)

    def emit_recovery_initiated(self, task_id: str, span_id: str, explanation: str, **fields: Any) -> R:
        return self._recovery("initiated", task_id, span_id, {"explanation": explanation, **fields})

    def emit_recovery_checkpoint_loaded(self, task_id: str, span_id: str, checkpoint_id: str, **fields: Any) -> R:
        return self._recovery("checkpoint_loaded", task_id, span_id, {"checkpoint_id": checkpoint_id, **fields})

    def emit_recovery_complete(self, task_id: str, span_id: str, **fields: Any) -> R:
        return self._recovery("complete", task_id, span_id, fields)

    def _recovery(self, step: str, task_id: str, span_id: str, fields: Mapping[str, Any]) -> R:
        return self.emit(task_id, f"recovery_{step}", span_id, **{"actor": "recovery", **fields})

    # tools and permissions

    def emit_tool_status(self, task_id: str, span_id: str, tool_name: str, status: str, **fields: Any) -> R:
        return self.emit(task_id, "tool_status", span_id, tool_name=tool_name, status=status, **fields)

    def emit_tool_result(self, task_id: str, span_id: str, tool_name: str, **fields: Any) -> R:
        return self.emit(task_id, "tool_result", span_id, tool_name=tool_name, **fields)

    def emit_permission_request(
        self, task_id: str, span_id: str, request_id: str, tool_name: str, arguments: Any = None, **fields: Any
    ) -> R:
        fields = {"request_id": request_id, "tool_name": tool_name, "arguments": arguments, **fields}
        return self.emit(task_id, "permission_request", span_id, **fields)

    def emit_permission_response(
        self, task_id: str, request_id: str, approved: bool, by: str, reason: str | None = None, **fields: Any
    ) -> R:
        fields = {"actor": "user", "request_id": request_id, "approved": approved, "by": by, "reason": reason, **fields}
        return self.emit(task_id, "permission_response", **fields)

    def emit_permission_cleared(self, task_id: str, span_id: str, request_id: str, cause: str, **fields: Any) -> R:
        return self.emit(task_id, "permission_cleared", span_id, request_id=request_id, cause=cause, **fields)

    def emit_message_taken(self, task_id: str, message: int, **fields: Any) -> R:
        return self.emit(task_id, "message_taken", message=message, **fields)

"""A task that the callbacks of an agent library report.

Each trace of the library is a task of its own. Inside another run (a command of `signalbox run`, or a step of
`open_task`) it is a step of that run instead.
"""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Any, NamedTuple

from signalbox.integrations.reporting.background import BackgroundWriter
from signalbox.integrations.reporting.snapshot import text_of
from signalbox.integrations.reporting.target import ReportTarget, current_task
from signalbox.integrations.reporting.traces.pieces import Pieces
from signalbox.store.emitter.steps import innermost
from signalbox.store.events import is_task_id, new_id

HEARTBEAT_INTERVAL_S = 10.0
"""Seconds without an event after which a task gets a heartbeat, so that a killed program is noticed."""

PAUSE_S = 365 * 24 * 3600.0
"""The same while a task waits for people."""

CALL, WORKFLOW = "llm", "workflow"
"""The `work_type` of a model call, and of a trace inside another run."""

Fields = Mapping[str, Any]


class Place(NamedTuple):
    """The run around a trace. Without `span_id` the trace is at the root of that run."""

    task_id: str
    identity: str | None = None
    span_id: str | None = None


class TracedTask:
    """Reports one trace. No method waits, and none raises.

    Spans without a parent are below `root`. The fields of an error are `error_code` and `message`: a step, a call or a
    tool that ends with them has failed. `seen_seq` is the seq up to which questions have read the log.
    """

    def __init__(self, writer: BackgroundWriter, task_id: str, *, title: str, kind: str, place: Place | None) -> None:
        self.writer, self.task_id = writer, task_id
        self.identity = place.identity if place else None
        self.is_own = place is None
        self.root = new_id()
        self.title, self._kind, self._outer = title, kind, place.span_id if place else None
        self.seen_seq = 0
        self._is_ended = False
        self._pieces: dict[str, Pieces] = {}

    def begin(self, library: str, metadata: Fields | None = None, **fields: Any) -> None:
        """Report the beginning. `library` is the name of the package, whose version is recorded."""
        if not self.is_own:
            self.step(self.root, self._outer, self.title, WORKFLOW, **fields)
            return
        self.writer.create_task(
            self.task_id, title=self.title, kind=self._kind, metadata=dict(metadata) if metadata else None
        )
        self.continued(library, **fields)

    def continued(self, library: str, **fields: Any) -> None:
        """Report that a task of its own runs: at its beginning, and again after a pause."""
        spawn = {
            "runner_pid": os.getpid(),
            "runner_version": f"{library} {_version(library)}".strip(),
            "host": platform.node(),
            "python": platform.python_version(),
            "heartbeat_interval": HEARTBEAT_INTERVAL_S,
        }
        self._is_ended = False
        self.event("runner_spawn", self.root, None, {**spawn, **fields})
        self.writer.keep_alive(self.task_id, HEARTBEAT_INTERVAL_S, identity=self.identity)

    def end(self, error: Fields | None = None, *, cancelled: bool = False, **fields: Any) -> None:
        """Report the end."""
        for span_id in list(self._pieces):
            self._flush(span_id)
        self._is_ended = True
        if not self.is_own:
            self.step_ended(self.root, self.title, WORKFLOW, error, **fields)
            return
        payload: dict[str, Any] = {"exit_code": 0, **fields}
        if cancelled:
            payload = {"exit_code": 130, "status": "cancelled", "message": "cancelled", **fields}
        elif error:
            payload |= {"exit_code": 1, "status": "failed", **error}
        self.event("runner_exit", self.root, None, payload)
        self.writer.let_go(self.task_id)

    def pause(self) -> None:
        """Report that the task waits for people, also while no program runs: nobody must miss heartbeats."""
        if self.is_own:
            self.writer.let_go(self.task_id)
            self.event("runner_heartbeat", self.root, None, {"heartbeat_interval": PAUSE_S})

    def stop_waiting(self, reason: str) -> None:
        """Report that the task ends without the answers that it waits for."""
        if not self._is_ended:
            self.end({"error_code": "cancelled", "message": reason}, cancelled=True, message=reason)

    def resume(self, library: str) -> None:
        """Report that the task runs again after `pause`, or after its end."""
        was_ended, self._is_ended = self._is_ended, False
        if was_ended and self.is_own:
            self.continued(library)
        elif was_ended:
            self.step(self.root, self._outer, self.title, WORKFLOW)
        elif self.is_own:
            self.event("runner_heartbeat", self.root, None, {"heartbeat_interval": HEARTBEAT_INTERVAL_S})
            self.writer.keep_alive(self.task_id, HEARTBEAT_INTERVAL_S, identity=self.identity)

    def step(
        self,
        span_id: str,
        parent: str | None,
        name: str,
        work_type: str,
        *,
        at: float | str | None = None,
        **fields: Any,
    ) -> None:
        """Report the beginning of a step."""
        payload = {"work_item_id": name, "work_type": work_type, **fields}
        self.event("work_item_start", span_id, parent, payload, actor="worker", at=at)

    def step_ended(
        self,
        span_id: str,
        name: str,
        work_type: str,
        error: Fields | None = None,
        *,
        at: float | str | None = None,
        **fields: Any,
    ) -> None:
        """Report the end of a step."""
        self._flush(span_id)
        payload = {"work_item_id": name, "work_type": work_type, **fields, **(error or {})}
        self.event("work_item_failed" if error else "work_item_complete", span_id, None, payload, actor="worker", at=at)

    def call(
        self,
        span_id: str,
        parent: str | None,
        model: str | None,
        messages: Sequence[Any] | None = None,
        *,
        name: str | None = None,
        at: float | str | None = None,
        **fields: Any,
    ) -> None:
        """Report the beginning of a model call. `messages` are those sent to the model, if they are known already."""
        fields = {"model": model, "messages": list(messages) if messages else None, **fields}
        self.step(span_id, parent, name or model or "model", CALL, at=at, **fields)

    def piece(self, span_id: str, text: str, *, is_thinking: bool = False) -> None:
        """Report a piece of the streamed answer of a model call."""
        pieces = self._pieces.get(span_id)
        if pieces is None:

            def send(joined: str, thinking: bool) -> None:
                payload = {"delta": joined, **({"kind": "thinking"} if thinking else {})}
                self.event("token", span_id, None, payload, actor="worker")

            pieces = self._pieces[span_id] = Pieces(send)
        pieces.add(text, is_thinking=is_thinking)

    def call_ended(
        self,
        span_id: str,
        model: str | None,
        error: Fields | None = None,
        *,
        name: str | None = None,
        at: float | str | None = None,
        **fields: Any,
    ) -> None:
        """Report the end of a model call, with the `message` of the answer and the `usage`."""
        self.step_ended(span_id, name or model or "model", CALL, error, at=at, model=model, **fields)

    def tool(
        self,
        span_id: str,
        parent: str | None,
        name: str,
        arguments: Any = None,
        *,
        call_id: str | None = None,
        at: float | str | None = None,
        **fields: Any,
    ) -> None:
        """Report the beginning of a tool call. `call_id` is the model's id of the call."""
        payload = {"tool_name": name, "status": "running", "arguments": arguments, "tool_call_id": call_id, **fields}
        self.event("tool_status", span_id, parent, payload, at=at)

    def tool_ended(
        self, span_id: str, name: str, error: Fields | None = None, *, at: float | str | None = None, **fields: Any
    ) -> None:
        """Report the end of a tool call, with its `result`."""
        payload = {"tool_name": name, "status": "failed" if error else "done", **fields, **(error or {})}
        self.event("tool_result", span_id, None, payload, at=at)

    def line(self, message: str, span_id: str | None = None, *, level: str | None = None, **fields: Any) -> None:
        """Report a line of the log."""
        self.event("log", span_id, None, {"message": message, "level": level, **fields})

    def event(
        self,
        event_type: str,
        span_id: str | None,
        parent: str | None,
        payload: Fields,
        *,
        actor: str = "runner",
        at: float | str | None = None,
    ) -> None:
        """Report any event."""
        span_id = span_id or self.root
        opens = event_type in ("work_item_start", "tool_status")
        above = (parent or (self.root if span_id != self.root else None)) if opens else None
        self.writer.append(
            self.task_id,
            event_type,
            {name: value for name, value in payload.items() if value is not None},
            identity=self.identity,
            occurred_at=time.time() if at is None else at,
            span_id=span_id,
            parent_span_id=above if above != span_id else None,
            actor=actor,
        )

    def _flush(self, span_id: str) -> None:
        pieces = self._pieces.pop(span_id, None)
        if pieces is not None:
            pieces.flush()


def open_trace(writer: BackgroundWriter, trace_id: str, *, title: str, kind: str, apart: bool = False) -> TracedTask:
    """Return the task of a trace, or its place in the run around the caller unless it is to be `apart`."""
    place = None if apart else surrounding(writer.target)
    task_id = place.task_id if place else trace_id if is_task_id(trace_id) else new_id()
    return TracedTask(writer, task_id, title=title, kind=kind, place=place)


def surrounding(target: ReportTarget) -> Place | None:
    """Return the place of the caller in a run that reports to `target`: its open step, or the task of its command."""
    step = innermost.get()
    if step is not None and getattr(getattr(step.emitter, "log", None), "url", None) == target.url:
        return Place(step.task_id, None, step.span_id)
    task = current_task(target)
    return Place(task.task_id, task.identity) if task else None


def error_fields(error: BaseException) -> dict[str, str]:
    """Return the fields of an error."""
    return {"error_code": type(error).__name__, "message": text_of(error) or type(error).__name__}


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""

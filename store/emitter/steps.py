"""The steps of a run: phases, work items, tool calls and recoveries.

Synchronous code opens them with `with`, asyncio with `async with`. An exception closes the step too: the closing event
has the type and message of the exception, which is then raised further.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Awaitable, Mapping, Sequence
from contextvars import ContextVar
from types import TracebackType
from typing import Any, Self, cast, overload

from signalbox.store.emitter.failure import failure
from signalbox.store.emitter.fit_payload import text_of
from signalbox.store.emitter.inbox import AsyncInbox, SyncInbox
from signalbox.store.emitter.model_answer import UsageFields, answer_fields
from signalbox.store.emitter.open_run import OpenRun
from signalbox.store.emitter.permission import Answer, PermissionRequest
from signalbox.store.emitter.scope import SpanScope
from signalbox.store.emitter.vocabulary import R
from signalbox.store.events import Event, new_span_id

_TAKEN = frozenset({"task_id", "event_type", "span_id", "parent_span_id", "phase", "actor", "key", "occurred_at"})
"""Names that are parameters of `emit`, so a payload field cannot have them."""

innermost: ContextVar[SpanScope[Any] | None] = ContextVar("signalbox_innermost", default=None)
"""The innermost step that is open around the caller in this thread or asyncio task."""


class Branch(SpanScope[R]):
    """A scope that can open steps. In another thread or asyncio task, call the parent step's methods, not the run's."""

    def phase(self, name: str, **payload: Any) -> PhaseStep[R]:
        """Return a phase to open: `with task.phase("planning") as phase:`."""
        return PhaseStep(self.run, new_span_id(), name, self.here.span_id, payload)

    def work_item(
        self, work_item_id: str, work_type: str = "step", *, span_id: str | None = None, **payload: Any
    ) -> WorkItemStep[R]:
        """Return a work item to open: `with phase.work_item("json", "package") as item:`.

        With the `span_id` of an earlier attempt it is a retry.
        """
        at = self.here
        return WorkItemStep(
            self.run,
            span_id or new_span_id(),
            at.phase_name,
            at.span_id,
            payload,
            work_item_id=work_item_id,
            work_type=work_type,
        )

    def tool(self, tool_name: str, arguments: Any = None, **payload: Any) -> ToolStep[R]:
        """Return a tool call to open: `with task.tool("search", {"query": "…"}) as call:`.

        `call.result(…)` sets the fields of its result.
        """
        at, payload = self.here, {"arguments": arguments, **payload}
        return ToolStep(self.run, new_span_id(), at.phase_name, at.span_id, payload, tool_name=tool_name)

    def llm_call(
        self, model: str, messages: Sequence[Mapping[str, Any]] = (), *, name: str | None = None, **payload: Any
    ) -> ModelCallStep[R]:
        """Return a call of a language model to open: `with task.llm_call("small-1", messages) as call:`.

        `messages` are those sent to the model, in the format of any API. `call.answer(…)` sets the answer and its cost.
        """
        at, payload = self.here, {"model": model, "messages": list(messages) or None, **payload}
        names = {"work_item_id": name or model, "work_type": "llm"}
        return ModelCallStep(self.run, new_span_id(), at.phase_name, at.span_id, payload, **names)

    def recovery(self, explanation: str, checkpoint_id: str | None = None, **payload: Any) -> RecoveryStep[R]:
        """Return a recovery to open: `with phase.recovery("broken file", "checkpoint-2") as recovery:`."""
        at, payload = self.here, {"explanation": explanation, "checkpoint_id": checkpoint_id, **payload}
        return RecoveryStep(self.run, at.span_id, at.phase_name, at.parent_span_id, payload)

    @overload
    def ask_permission(
        self: Branch[Event],
        tool_name: str,
        arguments: Any = None,
        *,
        reason: str | None = None,
        evidence_refs: dict[str, Any] | None = None,
        timeout: float | None = None,
        choices: Sequence[Any] | None = None,
        response_schema: dict[str, Any] | None = None,
        editable: bool | Sequence[str] = False,
    ) -> Answer: ...
    @overload
    def ask_permission(
        self: Branch[Awaitable[Event]],
        tool_name: str,
        arguments: Any = None,
        *,
        reason: str | None = None,
        evidence_refs: dict[str, Any] | None = None,
        timeout: float | None = None,
        choices: Sequence[Any] | None = None,
        response_schema: dict[str, Any] | None = None,
        editable: bool | Sequence[str] = False,
    ) -> Awaitable[Answer]: ...
    def ask_permission(
        self,
        tool_name: str,
        arguments: Any = None,
        *,
        reason: str | None = None,
        evidence_refs: dict[str, Any] | None = None,
        timeout: float | None = None,
        choices: Sequence[Any] | None = None,
        response_schema: dict[str, Any] | None = None,
        editable: bool | Sequence[str] = False,
    ) -> Answer | Awaitable[Answer]:
        """Ask a person for permission to use a tool, and wait for the answer for at most `timeout` seconds.

        An approval has a `value` if the request offers `choices` (texts, or objects with `value` and `label`), has a
        `response_schema` (a JSON Schema), or makes `arguments` editable: all of them, or these keys. Raises
        InvalidEvent if nobody could give such a value.
        """
        asked = {"choices": choices, "response_schema": response_schema, "editable": editable or None}
        question = PermissionRequest(self.here, tool_name, arguments, reason, timeout, evidence_refs, asked)
        return question.wait() if self.run.synchronous else question.await_answer()

    @overload
    def inbox(self: Branch[Event], timeout: float | None = None) -> SyncInbox[Event]: ...
    @overload
    def inbox(self: Branch[Awaitable[Event]], timeout: float | None = None) -> AsyncInbox[Awaitable[Event]]: ...
    def inbox(self, timeout: float | None = None) -> Any:
        """Return an iterator over the messages of people to this run: `for message in task.inbox(timeout=0):`.

        It waits for each message for at most `timeout` seconds, without one until the run is asked to stop. Asking for
        the next message acknowledges the one before. One that is not acknowledged comes again.
        """
        return (SyncInbox if self.run.synchronous else AsyncInbox)(self.here, timeout)


class Step(Branch[R]):
    """A part of a run that a `with` block opens and closes."""

    def __init__(
        self,
        run: OpenRun[R],
        span_id: str,
        phase: str | None,
        parent_span_id: str | None,
        payload: dict[str, Any],
        **named: Any,
    ) -> None:
        super().__init__(run, span_id, phase, parent_span_id)
        self.named = named
        self._payload = payload
        self._result: dict[str, Any] = {}

    @abstractmethod
    def _opening(self, payload: dict[str, Any]) -> R:
        """Append the event that opens this step."""

    @abstractmethod
    def _closing(self, failed: bool, payload: dict[str, Any]) -> R:
        """Append the event that closes it."""

    def result(self, **payload: Any) -> None:
        """Set payload fields of the closing event. A name that is already used for the event gets a `_` appended."""
        used_names = _TAKEN | self.named.keys()
        self._result |= {f"{name}_" if name in used_names else name: value for name, value in payload.items()}

    def __enter__(self) -> Self:
        self.run.check_mode(synchronous=True)
        self._opening(self._payload)
        self._step_in()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._step_out()
        self._closing(error is not None, {**self._result, **failure(error)})

    async def __aenter__(self) -> Self:
        self.run.check_mode(synchronous=False)
        await cast(Awaitable[Event], self._opening(self._payload))
        self._step_in()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._step_out()
        await cast(Awaitable[Event], self._closing(error is not None, {**self._result, **failure(error)}))

    def _step_in(self) -> None:
        self._outer = innermost.get()
        innermost.set(self)

    def _step_out(self) -> None:
        # A step that ends in another context than it began in must not change that context.
        if innermost.get() is self:
            innermost.set(self._outer)


class PhaseStep(Step[R]):
    """A phase of a run."""

    def _opening(self, payload: dict[str, Any]) -> R:
        name = self.phase_name or ""
        return self.emitter.emit_phase_enter(self.task_id, self.span_id, name, self.parent_span_id, **payload)

    def _closing(self, failed: bool, payload: dict[str, Any]) -> R:
        return self.emitter.emit_phase_exit(self.task_id, self.span_id, self.phase_name or "", **payload)


class WorkItemStep(Step[R]):
    """A piece of work. Several may be open at once, in threads or in asyncio tasks."""

    actor = "worker"

    def progress(self, current: float, total: float | None = None, **payload: Any) -> R:
        """Emit the progress of this item."""
        item = self.named["work_item_id"]
        return self.emitter.emit_work_item_progress(
            self.task_id, self.span_id, item, current, total, phase=self.phase_name, **payload
        )

    def _opening(self, payload: dict[str, Any]) -> R:
        return self._send(self.emitter.emit_work_item_start, payload)

    def _closing(self, failed: bool, payload: dict[str, Any]) -> R:
        emitter = self.emitter
        return self._send(emitter.emit_work_item_failed if failed else emitter.emit_work_item_complete, payload)

    def _send(self, emit: Any, payload: dict[str, Any]) -> R:
        sent: R = emit(self.task_id, self.span_id, self.parent_span_id, phase=self.phase_name, **self.named, **payload)
        return sent


class ModelCallStep(WorkItemStep[R]):
    """A call of a language model."""

    def piece(self, text: str) -> R:
        """Emit a piece of the answer while it is streamed. The pages show the pieces as one text that grows."""
        return self.emitter.emit(
            self.task_id, "token", self.span_id, actor=self.actor, phase=self.phase_name, text=text_of(text)
        )

    def answer(
        self,
        content: Any,
        *,
        tool_calls: Sequence[Mapping[str, Any]] = (),
        usage: UsageFields | None = None,
        cost_usd: float | None = None,
        stop_reason: str | None = None,
    ) -> None:
        """Set the answer, a text or the content in the format of any API, and what the call used."""
        self.result(**answer_fields(content, tool_calls, usage, cost_usd, stop_reason))


class ToolStep(Step[R]):
    """A tool call."""

    def progress(self, current: float, total: float | None = None, **payload: Any) -> R:
        """Emit the progress of this call."""
        return self.emitter.emit_progress_update(
            self.task_id, self.span_id, current, total, phase=self.phase_name, **payload
        )

    def _opening(self, payload: dict[str, Any]) -> R:
        return self._send(self.emitter.emit_tool_status, {"status": "running", **payload})

    def _closing(self, failed: bool, payload: dict[str, Any]) -> R:
        return self._send(self.emitter.emit_tool_result, {"status": "failed" if failed else "done", **payload})

    def _send(self, emit: Any, payload: dict[str, Any]) -> R:
        place = {"phase": self.phase_name, "parent_span_id": self.parent_span_id}
        sent: R = emit(self.task_id, self.span_id, **self.named, **place, **payload)
        return sent


class RecoveryStep(Step[R]):
    """A return to a checkpoint after an error. It has the span of the step in which it happens."""

    def loaded(self, checkpoint_id: str, **payload: Any) -> R:
        """Emit that the checkpoint is restored and work continues from it."""
        return self.emitter.emit_recovery_checkpoint_loaded(
            self.task_id, self.span_id, checkpoint_id, phase=self.phase_name, **payload
        )

    def _opening(self, payload: dict[str, Any]) -> R:
        fields = {"phase": self.phase_name, "parent_span_id": self.parent_span_id, **payload}
        return self.emitter.emit_recovery_initiated(self.task_id, self.span_id, **fields)

    def _closing(self, failed: bool, payload: dict[str, Any]) -> R:
        return self.emitter.emit_recovery_complete(self.task_id, self.span_id, phase=self.phase_name, **payload)

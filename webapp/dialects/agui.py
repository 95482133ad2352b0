"""The AG-UI dialect: the events of a run's log as events of the Agent User Interaction Protocol.

Phases and work items are steps, lines of output and the answers of models are text messages, tools are tool calls, and
other events are custom events with the name of their type. A stream must close what it opened before it finishes, so
`Narration` keeps what is open. It depends on the log alone: a stream that resumes folds the log up to its position.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import msgspec

from signalbox.store import Event
from signalbox.store.events import HEARTBEAT, is_claim
from signalbox.store.model_calls import concerns_model, model_call_of, piece_of
from signalbox.store.model_calls.calls import part_texts
from signalbox.store.model_calls.marks import WORK_TYPES
from signalbox.store.model_calls.pieces import is_piece
from signalbox.webapp.dialects.agui_events import Message, milliseconds

MAX_LINES = 100
"""Lines of output in one text message. Chat clients render a message again for each line."""

IN_STATE = frozenset({HEARTBEAT, "runner_spawn", "runner_exit", "status", "progress_update", "work_item_progress"})
"""Types of events that only change the state, which STATE_DELTA reports."""

IN_INTERRUPTS = frozenset({"permission_request"})
STARTS = frozenset({"phase_enter", "work_item_start", "work_item_started"})
ENDS = frozenset({"phase_exit", "work_item_complete", "work_item_failed"})


@dataclass(frozen=True)
class OutputMessage:
    """The text message that lines of output are added to."""

    message_id: str
    span_id: str
    stream: str
    lines: int


@dataclass
class Narration:
    """What is open after an event of the log. `steps` has names by span, `answers` the text messages of model calls.

    `names` are the names of the open steps.
    """

    steps: dict[str, str] = field(default_factory=dict)
    names: set[str] = field(default_factory=set)
    tools: set[str] = field(default_factory=set)
    models: set[str] = field(default_factory=set)
    answers: dict[str, str] = field(default_factory=dict)
    output: OutputMessage | None = None

    def copy(self) -> Narration:
        """Return a copy that changes independently."""
        return replace(
            self,
            steps=dict(self.steps),
            names=set(self.names),
            tools=set(self.tools),
            models=set(self.models),
            answers=dict(self.answers),
        )

    def opening(self) -> list[Message]:
        """Return the events that open again what is open, for a new run of the protocol."""
        self.output = None
        steps: list[Message] = [{"type": "STEP_STARTED", "stepName": name} for name in self.steps.values()]
        return steps + [_start(message_id) for message_id in self.answers.values()]

    def closing(self) -> list[Message]:
        """Return the events that close everything, at the end of a run of the protocol."""
        texts = [*self.answers.values(), *([self.output.message_id] if self.output else [])]
        closed: list[Message] = [{"type": "TEXT_MESSAGE_END", "messageId": message_id} for message_id in texts]
        return closed + [{"type": "STEP_FINISHED", "stepName": name} for name in reversed(self.steps.values())]

    def fold(self, event: Event) -> list[Message]:
        """Fold the next event of the log, and return its events of the protocol."""
        if event.event_type == HEARTBEAT:
            return []
        found = self._fold(event)
        if found:
            at = milliseconds(event.happened_at)
            found = [{**message, "timestamp": at} for message in found]
        return found

    def _fold(self, event: Event) -> list[Message]:
        kind, span = event.event_type, event.span_id
        text = self._model_text(event)
        if text is not None:
            return [*self._end_output(), *self._answer(span, text)]
        message = event.payload.get("message")
        if kind == "log" and isinstance(message, str):
            return self._line(event, message)
        closed = self._end_output()
        if kind in STARTS:
            return [*closed, *self._step(event)]
        if kind in ENDS:
            return [*closed, *self._whole_answer(event), *self._end_step(span)]
        if kind == "tool_status":
            return [*closed, *self._tool_call(event)]
        if kind == "tool_result":
            return [*closed, *self._tool_call(event), *self._tool_result(event)]
        if kind in IN_STATE or kind in IN_INTERRUPTS:
            return [*closed, *self._whole_answer(event)]
        if concerns_model(event) and (answer := self._whole_answer(event)):
            return [*closed, *answer]
        value = {**event.payload, "claimed": True} if is_claim(event) else event.payload
        return [*closed, {"type": "CUSTOM", "name": kind, "value": value}]

    # text messages

    def _line(self, event: Event, message: str) -> list[Message]:
        stream = "stderr" if event.payload.get("stream") == "stderr" else "stdout"
        output, found = self.output, []
        if output is None or (output.span_id, output.stream) != (event.span_id, stream) or output.lines >= MAX_LINES:
            found = self._end_output()
            output = OutputMessage(f"output-{event.seq}", event.span_id, stream, 0)
            found.append({**_start(output.message_id), "name": stream})
        self.output = replace(output, lines=output.lines + 1)
        return [*found, _content(output.message_id, f"{message}\n")]

    def _end_output(self) -> list[Message]:
        if self.output is None:
            return []
        ended, self.output = self.output.message_id, None
        return [{"type": "TEXT_MESSAGE_END", "messageId": ended}]

    def _model_text(self, event: Event) -> str | None:
        """Return the text that an event adds to the answer of a model; None for other events."""
        payload = event.payload
        if is_piece(event.event_type, payload):
            piece = piece_of(event.event_type, payload)
            return piece.text if piece is not None else ""
        message = payload.get("message")
        if event.event_type == "log" and event.span_id in self.models and "stream" not in payload:
            return message if isinstance(message, str) else None
        return None

    def _answer(self, span: str, text: str) -> list[Message]:
        if not text:
            return []
        found = []
        if span not in self.answers:
            self.answers[span] = f"answer-{span}"
            found.append(_start(self.answers[span]))
        return [*found, _content(self.answers[span], text)]

    def _whole_answer(self, event: Event) -> list[Message]:
        """Return the answer that an event has as a whole, unless its pieces were sent; then it ends the message."""
        span = event.span_id
        if span in self.answers:
            return [{"type": "TEXT_MESSAGE_END", "messageId": self.answers.pop(span)}]
        if not concerns_model(event):
            return []
        found: list[Message] = []
        for number, said in enumerate(model_call_of(event.event_type, event.payload).output):
            if text := part_texts(said.parts):
                message_id = f"answer-{event.seq}-{number}"
                found += [_start(message_id), _content(message_id, text), _end(message_id)]
        return found

    # steps and tools

    def _step(self, event: Event) -> list[Message]:
        span, payload = event.span_id, event.payload
        again = self._end_step(span)
        name = event.phase if event.event_type == "phase_enter" else payload.get("work_item_id")
        name = name if isinstance(name, str) and name else span
        if name in self.names:
            # Two active steps must not have the same name.
            name = f"{name} ({span})"
        self.steps[span] = name
        self.names.add(name)
        work_type = payload.get("work_type")
        if "model" in payload or (isinstance(work_type, str) and work_type in WORK_TYPES):
            self.models.add(span)
        return [*again, {"type": "STEP_STARTED", "stepName": name}]

    def _end_step(self, span: str) -> list[Message]:
        self.models.discard(span)
        name = self.steps.pop(span, None)
        self.names.discard(name or "")
        return [{"type": "STEP_FINISHED", "stepName": name}] if name is not None else []

    def _tool_call(self, event: Event) -> list[Message]:
        """Return the start of a tool call; nothing for a further event of a call that has started."""
        span = event.span_id
        if span in self.tools:
            return []
        self.tools.add(span)
        arguments = event.payload.get("arguments")
        call = {"toolCallId": span}
        return [
            {"type": "TOOL_CALL_START", **call, "toolCallName": _name(event)},
            {"type": "TOOL_CALL_ARGS", **call, "delta": _text({} if arguments is None else arguments)},
            {"type": "TOOL_CALL_END", **call},
        ]

    def _tool_result(self, event: Event) -> list[Message]:
        self.tools.discard(event.span_id)
        payload = event.payload
        known = ("tool_name", "arguments")
        result = next((payload[name] for name in ("result", "output", "content") if name in payload), None)
        content = result if result is not None else {name: payload[name] for name in payload if name not in known}
        return [
            {
                "type": "TOOL_CALL_RESULT",
                "messageId": f"result-{event.seq}",
                "toolCallId": event.span_id,
                "content": _text(content),
                "role": "tool",
            }
        ]


def _start(message_id: str) -> Message:
    return {"type": "TEXT_MESSAGE_START", "messageId": message_id, "role": "assistant"}


def _content(message_id: str, text: str) -> Message:
    return {"type": "TEXT_MESSAGE_CONTENT", "messageId": message_id, "delta": text}


def _end(message_id: str) -> Message:
    return {"type": "TEXT_MESSAGE_END", "messageId": message_id}


def _name(event: Event) -> str:
    name = event.payload.get("tool_name")
    return name if isinstance(name, str) and name else "tool"


def _text(value: Any) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()

"""A model call, read from the payload of one event."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from signalbox.store.model_calls.attributes import attributes_of, decoded, first, items, line
from signalbox.store.model_calls.messages import ROLES, ChatMessage, Part, Role, messages_of, tool_calls_of
from signalbox.store.model_calls.usage import Usage
from signalbox.store.model_calls.usage_reading import model_of, usage_of

AGENT_OPERATIONS = frozenset({"invoke_agent", "create_agent", "invoke_workflow", "agent", "chain"})
"""Operations that contain model calls, so their usage is the sum of those calls."""

_ARGUMENTS = ("gen_ai.tool.call.arguments", "tool.parameters", "input.value", "traceloop.entity.input")
"""The attributes that may have the arguments of a tool."""

_MESSAGE_EVENTS: dict[str, Role] = {
    "gen_ai.system.message": "system",
    "gen_ai.user.message": "user",
    "gen_ai.assistant.message": "assistant",
    "gen_ai.tool.message": "tool",
    "gen_ai.choice": "assistant",
    "system_message": "system",
    "user_message": "user",
    "assistant_message": "assistant",
    "gen_ai.content.prompt": "user",
    "gen_ai.content.completion": "assistant",
}
"""Types of events that are one message."""


class ToolUse(msgspec.Struct, frozen=True, kw_only=True):
    """The use of a tool that an event reports. `has_result` distinguishes a missing `result` from None."""

    name: str
    call_id: str = ""
    arguments: Any = None
    result: Any = None
    has_result: bool = False


class ModelCall(msgspec.Struct, frozen=True, kw_only=True):
    """The parts of a model call that one event reports.

    `input` has the messages that were sent, as a rule the whole history, and `output` those of the answer. `operation`
    is in the words of OpenTelemetry or OpenInference, in lower case. `response_id` is the id that the provider gave the
    answer.
    """

    model: str | None = None
    input: tuple[ChatMessage, ...] = ()
    output: tuple[ChatMessage, ...] = ()
    usage: Usage | None = None
    tool: ToolUse | None = None
    operation: str = ""
    response_id: str = ""
    stop_reason: str = ""

    @property
    def is_empty(self) -> bool:
        """Whether the event has neither messages nor the use of a tool."""
        return not (self.input or self.output or self.tool)


def model_call_of(event_type: str, payload: Mapping[str, Any], model: str | None = None) -> ModelCall:
    """Return what an event reports about a model call. Never raises, whatever the payload contains.

    `model` is the model of the call if the payload names none.
    """
    attributes = attributes_of(payload)
    model = model_of(payload, attributes) or model
    body = decoded(first(payload, "body")) if event_type in _MESSAGE_EVENTS else None
    if event_type in _MESSAGE_EVENTS:
        said = _message_event(event_type, body if isinstance(body, dict) else payload, attributes)
        is_answer = event_type in ("gen_ai.choice", "gen_ai.content.completion", "assistant_message")
        sent, answered = ((), said) if is_answer else (said, ())
    else:
        sent, answered = _input(payload, attributes, model), _output(payload, attributes, model)
    return ModelCall(
        model=model,
        input=sent,
        output=answered,
        usage=usage_of(payload),
        tool=_tool(payload, attributes),
        operation=operation_of(payload, attributes),
        response_id=response_id_of(payload, attributes),
        stop_reason=_stop_reason(payload, attributes),
    )


def operation_of(payload: Mapping[str, Any], attributes: Mapping[str, Any] | None = None) -> str:
    """Return the operation that the attributes name, in lower case, or ""."""
    attributes = attributes_of(payload) if attributes is None else attributes
    names = ("gen_ai.operation.name", "openinference.span.kind", "traceloop.span.kind")
    return (line(first(attributes, *names)) or "").lower()


def response_id_of(payload: Mapping[str, Any], attributes: Mapping[str, Any] | None = None) -> str:
    """Return the provider's id of the answer, or ""."""
    attributes = attributes_of(payload) if attributes is None else attributes
    found = first(attributes, "gen_ai.response.id") or first(payload, "response_id", "response.id", "message.id")
    if found is None and ("choices" in payload or payload.get("type") == "message"):
        found = payload.get("id")
    return (line(found) or "")[:256]


def _input(payload: Mapping[str, Any], attributes: Mapping[str, Any], model: str | None) -> tuple[ChatMessage, ...]:
    system = messages_of(
        first(attributes, "gen_ai.system_instructions", "gen_ai.system_prompt")
        or (payload.get("system") if "messages" in payload or model else None),
        "system",
    )
    sent = messages_of(
        first(attributes, "gen_ai.input.messages", "gen_ai.prompt", "llm.input_messages", "llm.prompts")
        or payload.get("messages")
        or first(payload, "attributes.messages", "request.messages")
        or (first(payload, "prompt", "input") if model else None)
    )
    return (*system, *sent)


def _output(payload: Mapping[str, Any], attributes: Mapping[str, Any], model: str | None) -> tuple[ChatMessage, ...]:
    found = first(attributes, "gen_ai.output.messages", "gen_ai.completion", "llm.output_messages", "llm.completions")
    if found is not None:
        return messages_of(found, "assistant")
    if choices := items(payload.get("choices")):
        return tuple(
            said
            for choice in choices
            if isinstance(choice, dict) and "delta" not in choice
            for said in messages_of(choice.get("message") or choice.get("text"), "assistant")
        )
    if isinstance(payload.get("message"), dict):
        return messages_of([payload["message"]], "assistant")
    calls = tool_calls_of(payload)
    role = ROLES.get(str(payload.get("role")), "assistant")
    if calls or (payload.get("role") and payload.get("content")):
        said = messages_of({"role": role, "content": payload.get("content")}, role) if payload.get("content") else ()
        return (*said, ChatMessage(role="assistant", parts=tuple(calls))) if calls else said
    if model or "usage" in payload:
        answer = first(payload, "completion", "answer", "response", "output", "content", "text")
        if isinstance(answer, dict) and not any(name in answer for name in ("content", "role", "tool_calls", "text")):
            return ()
        return messages_of(answer, "assistant")
    return ()


def _message_event(
    event_type: str, payload: Mapping[str, Any], attributes: Mapping[str, Any]
) -> tuple[ChatMessage, ...]:
    role = _MESSAGE_EVENTS[event_type]
    text = first(attributes, "gen_ai.prompt", "gen_ai.completion")
    if text is not None:
        return messages_of(text, role)
    message = payload["message"] if isinstance(payload.get("message"), dict) else payload
    content = first(message, "content", "text", "message")
    kept = {name: message[name] for name in ("tool_calls", "id", "tool_call_id", "name") if name in message}
    return messages_of([{"role": role, "content": content, **kept}], role)


def _tool(payload: Mapping[str, Any], attributes: Mapping[str, Any]) -> ToolUse | None:
    name = line(first(attributes, "gen_ai.tool.name", "tool.name"))
    kind = operation_of(payload, attributes)
    if name is None and line(first(attributes, "traceloop.span.kind")) == "tool":
        name = line(first(attributes, "traceloop.entity.name"))
    if name is None or kind not in ("", "execute_tool", "tool"):
        return None
    arguments = first(attributes, *_ARGUMENTS)
    result = first(attributes, "gen_ai.tool.call.result", "output.value", "traceloop.entity.output")
    return ToolUse(
        name=name,
        call_id=line(first(attributes, "gen_ai.tool.call.id", "tool_call.id")) or "",
        arguments=decoded(arguments),
        result=decoded(result),
        has_result=result is not None,
    )


def _stop_reason(payload: Mapping[str, Any], attributes: Mapping[str, Any]) -> str:
    reasons = items(first(attributes, "gen_ai.response.finish_reasons"))
    reason = reasons[0] if reasons else first(payload, "stop_reason", "finish_reason", "message.stop_reason")
    return (line(reason) or "")[:64]


def part_texts(parts: tuple[Part, ...]) -> str:
    """Return the texts of parts, joined by empty lines."""
    return "\n\n".join(part.text for part in parts if part.kind == "text")

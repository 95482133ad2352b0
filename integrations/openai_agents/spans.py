"""Spans of the OpenAI Agents SDK as steps, tools and model calls of a task."""

from __future__ import annotations

from typing import Any

from signalbox.integrations.openai_agents.messages import answer_of, messages_of
from signalbox.integrations.reporting.traces.traced_task import TracedTask, error_fields
from signalbox.integrations.reporting.traces.values import decoded, plain

INVISIBLE = ("task", "turn")
"""Types of spans that only group others: their children belong to the span above them."""

_OUTPUTS = frozenset({"data", "error"})


def started(task: TracedTask, span: Any, parent: str | None) -> None:
    """Report the beginning of a span. The SDK fills in most of its data later."""
    data, span_id = span.span_data, span.span_id
    if data.type == "function":
        task.tool(span_id, parent, data.name, decoded(data.input))
    elif data.type in ("generation", "response"):
        task.call(span_id, parent, getattr(data, "model", None))
    elif data.type == "handoff":
        # It takes no time, and its target is known only at its end.
        return
    else:
        task.step(span_id, parent, name_of(data), _work_type(data), model=getattr(data, "model", None))


def ended(task: TracedTask, span: Any, parent: str | None, error: dict[str, Any] | None) -> None:
    """Report the end of a span, with its data."""
    data, span_id = span.span_data, span.span_id
    if data.type == "function":
        task.tool_ended(
            span_id,
            data.name,
            error,
            arguments=decoded(data.input),
            result=decoded(plain(data.output)),
            mcp=plain(data.mcp_data),
        )
    elif data.type in ("generation", "response"):
        call = call_of(data)
        task.call_ended(span_id, call.pop("model", None), error, usage=plain(data.usage), **call)
    elif data.type == "handoff":
        name = f"{data.from_agent or 'agent'} → {data.to_agent or 'unknown agent'}"
        task.step(span_id, parent, name, "handoff", at=span.started_at)
        task.step_ended(span_id, name, "handoff", error)
    else:
        if data.type == "guardrail" and data.triggered:
            message = f"the guardrail {data.name} was triggered"
            error = {"error_code": "GuardrailTripwireTriggered", "message": message}
        task.step_ended(span_id, name_of(data), _work_type(data), error, **_details(data))


def call_of(data: Any) -> dict[str, Any]:
    """Return the fields of a model call: `model`, `messages`, `message` and those that the API gave."""
    return _response(data) if data.type == "response" else _generation(data)


def name_of(data: Any) -> str:
    """Return the name of a span."""
    if data.type == "mcp_tools":
        return f"tools of {data.server or 'an MCP server'}"
    return getattr(data, "name", None) or str(data.type).replace("_", " ")


def error_of(span: Any, raised: BaseException | None) -> dict[str, Any] | None:
    """Return the error of a span as fields: the one that the SDK set, else the exception that ended the span."""
    given = span.error
    if not given:
        return None if raised is None else error_fields(raised)
    details = given.get("data") or {}
    reason = details.get("error") or details.get("message")
    message = str(given.get("message") or "error")
    # The exception is the better code, if the error of the span is the one that is raised.
    code = details.get("name") or (type(raised).__name__ if raised is not None else "error")
    return {"error_code": code, "message": f"{message}: {reason}" if reason else message}


def _work_type(data: Any) -> str:
    name = getattr(data, "name", "")
    return "sandbox" if data.type == "custom" and str(name).startswith("sandbox.") else str(data.type)


def _details(data: Any) -> dict[str, Any]:
    if data.type == "agent":
        return {"tools": plain(data.tools), "handoffs": plain(data.handoffs), "output_type": data.output_type}
    if data.type == "guardrail":
        return {"triggered": data.triggered}
    if data.type == "mcp_tools":
        return {"result": plain(data.result)}
    if data.type == "transcription":
        # The input is audio.
        return {"output": data.output, "input_format": data.input_format}
    if data.type in ("speech", "speech_group"):
        return {"input": data.input}
    exported = data.export() or {}
    return {"data": plain(exported.get("data"))}


def _response(data: Any) -> dict[str, Any]:
    response = data.response
    messages = messages_of(data.input) if data.input else []
    if response is None:
        return {"messages": messages}
    if isinstance(response.instructions, str):
        messages.insert(0, {"role": "system", "content": response.instructions})
    return {
        "model": response.model,
        "messages": messages,
        "message": answer_of(response.output),
        "response_id": response.id,
        "stop_reason": response.status,
    }


def _generation(data: Any) -> dict[str, Any]:
    found = {"model": data.model, "messages": messages_of(data.input) if data.input else None}
    if data.output:
        found["message"] = answer_of(data.output)
    return found

"""Events of the Agent User Interaction Protocol 1.0, as bytes of a stream, and the values that they carry.

https://docs.ag-ui.com/spec/1.0: names are in camel case, times in milliseconds, and absent fields are left out.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from signalbox.store.answers import expectation_of
from signalbox.store.line_breaks import one_line
from signalbox.store.state import Permission, Task

PROTOCOL_VERSION = "1.0"

Message = dict[str, Any]
"""An event of the protocol before it is encoded."""

_encoder = msgspec.json.Encoder()


def encoded(message: Message, position: int | None = None) -> bytes:
    """Return an event as a message of a stream. `position` becomes its `id:`."""
    last = b"" if position is None else b"id: %d\n" % position
    given = {name: value for name, value in message.items() if value is not None}
    return b"data: %b\n%b\n" % (one_line(_encoder.encode(given)), last)


def milliseconds(timestamp: str) -> int:
    """Return a timestamp of the store in milliseconds since 1970."""
    return int(datetime.fromisoformat(timestamp).timestamp() * 1000)


def state_of(task: Task, seq: int) -> dict[str, Any]:
    """Return the state that clients show and send back. `signalbox` says where their next run continues."""
    progress = task.progress
    return {
        "signalbox": {"taskId": task.task_id, "identity": task.identity, "seq": seq},
        "title": task.title,
        "status": task.status,
        "phase": task.phase,
        "message": task.message,
        "error": task.error,
        "progress": {"current": progress.current, "total": progress.total} if progress else None,
        "workItems": {"total": task.items_total, "done": task.items_done, "failed": task.items_failed},
    }


def delta(before: dict[str, Any], after: dict[str, Any]) -> Message | None:
    """Return the STATE_DELTA between two states, as a JSON Patch (RFC 6902) of their fields; None if they are equal."""
    changed = [name for name in after if before[name] != after[name]]
    patch = [{"op": "replace", "path": f"/{name}", "value": after[name]} for name in changed]
    return {"type": "STATE_DELTA", "delta": patch} if patch else None


def interrupt_of(permission: Permission, tool_calls: set[str]) -> dict[str, Any]:
    """Return a permission request as an interrupt. `tool_calls` are the ids of the open tool calls."""
    expected = expectation_of(permission)
    properties: dict[str, Any] = {
        "approved": {"type": "boolean"},
        "reason": {"type": "string"},
        "always": {"type": "boolean", "description": "Also approve later requests of this tool in this run."},
    }
    if expected.kind == "choice":
        properties["value"] = {"enum": [choice.value for choice in expected.choices]}
    elif expected.kind != "nothing":
        properties["value"] = expected.schema if isinstance(expected.schema, dict) else {}
    found = {
        "id": permission.request_id,
        "reason": "permission",
        "message": permission.reason or f"{permission.tool_name} asks for permission",
        "toolCallId": permission.span_id if permission.span_id in tool_calls else None,
        "responseSchema": {"type": "object", "properties": properties, "required": ["approved"]},
        "expiresAt": permission.expires_at,
        "metadata": {
            "toolName": permission.tool_name,
            "arguments": permission.arguments,
            "editable": permission.editable or None,
        },
    }
    return {name: value for name, value in found.items() if value is not None}


def usage_of_run(task: Task) -> list[dict[str, Any]] | None:
    """Return the tokens of a run; None if it reported none."""
    if task.usage is None:
        return None
    tokens = task.usage.tokens
    counts = {
        "inputTokens": tokens.input,
        "outputTokens": tokens.output,
        "totalTokens": tokens.input + tokens.output,
        "reasoningTokens": tokens.reasoning,
        "cachedInputTokens": tokens.cache_read,
        "cacheWriteInputTokens": tokens.cache_write,
    }
    return [{name: count for name, count in counts.items() if count}]

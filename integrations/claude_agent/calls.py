"""Model calls of Claude, from messages that arrive in several parts."""

from __future__ import annotations

import time
from typing import Any

from signalbox.integrations.reporting.traces.traced_task import TracedTask
from signalbox.integrations.reporting.traces.values import plain
from signalbox.store.events import new_id


class Call:
    """One answer of the model, whose blocks arrive one by one. `parent` is the span above it.

    `ended_at` is the time of the newest part, in seconds since 1970.
    """

    def __init__(
        self, task: TracedTask, parent: str | None, message_id: str | None, model: str, began_at: float
    ) -> None:
        self.message_id, self.parent = message_id, parent
        self._task, self._model = task, model
        self._span_id = message_id or new_id()
        self.ended_at = began_at
        self._usage: dict[str, Any] = {}
        self._stop_reason: str | None = None
        self._is_ended = False
        task.call(self._span_id, parent, model, at=began_at)

    def streamed(self, event: dict[str, Any]) -> None:
        """Report an event of the API's stream."""
        self.ended_at = time.time()
        kind, delta = event.get("type"), event.get("delta") or {}
        if kind == "content_block_delta":
            self._task.piece(self._span_id, delta.get("text") or "")
            self._task.piece(self._span_id, delta.get("thinking") or "", is_thinking=True)
        elif kind == "message_delta":
            self._stop_reason = delta.get("stop_reason") or self._stop_reason
            self._add_usage(event.get("usage"))
        elif kind == "message_start":
            self._add_usage((event.get("message") or {}).get("usage"))

    def said(self, blocks: list[dict[str, Any]], usage: Any, stop_reason: str | None) -> None:
        """Report blocks of the answer: texts, thinking and calls of tools."""
        self.ended_at = time.time()
        self._stop_reason = stop_reason or self._stop_reason
        self._add_usage(usage)
        payload: dict[str, Any] = {"message": _words(blocks), "content": blocks, "model": self._model}
        if self._is_ended:
            payload |= {"usage": self._usage, "response_id": self.message_id}
        self._task.event("assistant_message", self._span_id, None, payload, actor="worker")

    def end(self) -> None:
        """Report the end, which was when the last part arrived. Parts that arrive later do not change it."""
        if self._is_ended:
            return
        self._is_ended = True
        self._task.call_ended(
            self._span_id,
            self._model,
            at=self.ended_at,
            usage=self._usage or None,
            response_id=self.message_id,
            stop_reason=self._stop_reason,
        )

    def _add_usage(self, usage: Any) -> None:
        given = plain(usage)
        if isinstance(given, dict):
            # The output grows from part to part, and the end of a stream leaves the input out.
            self._usage |= {name: value for name, value in given.items() if value or name not in self._usage}


def blocks_of(content: Any) -> list[dict[str, Any]]:
    """Return the blocks of a message of the SDK as the API has them."""
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    return [_block(block) for block in content or ()]


def _words(blocks: list[dict[str, Any]]) -> str:
    """Return what an answer says or does, as one text for the log."""
    words = [block.get("text") or block.get("thinking") or f"calls {block.get('name')}" for block in blocks]
    return "\n\n".join(words)


def _block(block: Any) -> dict[str, Any]:
    kind = type(block).__name__
    if kind == "TextBlock":
        return {"type": "text", "text": block.text}
    if kind == "ThinkingBlock":
        return {"type": "thinking", "thinking": block.thinking}
    if kind in ("ToolUseBlock", "ServerToolUseBlock"):
        return {"type": "tool_use", "id": block.id, "name": block.name, "input": plain(block.input)}
    if kind in ("ToolResultBlock", "ServerToolResultBlock"):
        failed = bool(getattr(block, "is_error", False))
        return {
            "type": "tool_result",
            "tool_use_id": block.tool_use_id,
            "content": plain(block.content),
            "is_error": failed,
        }
    found = plain(block)
    return found if isinstance(found, dict) else {"type": kind, "text": str(found)}

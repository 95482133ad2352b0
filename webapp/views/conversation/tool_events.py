"""Adds calls of tools, and the permissions that they need, to a conversation."""

from __future__ import annotations

import msgspec

from signalbox.store import Event
from signalbox.store.events import is_claim
from signalbox.store.model_calls.calls import ToolUse
from signalbox.store.projections.payload import request_id_of, text
from signalbox.store.state import Span
from signalbox.webapp.views.conversation.blocks import PermissionNote, ToolBlock
from signalbox.webapp.views.conversation.talk import Talk, Talks
from signalbox.webapp.views.text import between

_TOOL_KEYS = frozenset(
    {"tool_name", "name", "status", "arguments", "message", "error_code", "tool_call_id", "call_id", "hook"}
)
_RESULT_KEYS = ("result", "output", "content", "response")


class ToolEvents:
    """Adds events about tools to the conversations to which they belong."""

    def __init__(self, talks: Talks) -> None:
        self._talks = talks

    def reported(self, event: Event, tool: ToolUse, talk: Talk, place: tuple[Span, ...]) -> None:
        """Add a call of a tool that an event of a model call reports, or its result."""
        block = talk.tools.started(event.span_id, tool.name, tool.call_id)
        if block is None:
            block = ToolBlock(**self._talks.base(event, place), tool=tool.name, call_id=tool.call_id)
            talk.blocks.append(talk.tools.add(block))
        block.span_id, block.arguments = event.span_id, block.arguments if tool.arguments is None else tool.arguments
        if tool.has_result:
            block.result, block.result_seq, block.state = tool.result, event.seq, "done"
            span = next(iter(self._talks.path(event.span_id)[-1:]), None)
            if span is not None and span.ended_at:
                block.took = between(span.started_at, span.ended_at)
        talk.tools.changed(block)

    def status(self, event: Event) -> None:
        """Add the start of a call (`tool_status`), or its result (`tool_result`)."""
        payload = event.payload
        talk, place = self._talks.of(event.span_id, inside=False)
        name = text(payload, "tool_name", "name") or "tool"
        block = talk.tools.started(event.span_id, name, text(payload, "tool_call_id", "call_id") or "")
        if block is None:
            block = ToolBlock(**self._talks.base(event, place), tool=name)
            talk.blocks.append(talk.tools.add(block))
        if block.span_id != event.span_id or block.is_request:
            block.span_id, block.is_request, block.at = event.span_id, False, event.happened_at
        if payload.get("arguments") is not None:
            block.arguments = payload["arguments"]
        if event.event_type == "tool_status":
            block.state = block.state if block.is_answered else "open"
            talk.tools.changed(block)
            return
        failed = bool(payload.get("error_code")) or payload.get("status") == "failed"
        block.state, block.result_seq = "failed" if failed else "done", event.seq
        block.took = between(block.at, event.happened_at)
        block.error = (text(payload, "message", "explanation", "error_code") or "") if failed else ""
        rest = {key: value for key, value in payload.items() if key not in _TOOL_KEYS}
        known = next((payload[key] for key in _RESULT_KEYS if payload.get(key) is not None), None)
        result = known if known is not None and len(rest) <= 1 else rest or None
        block.result = result if result is not None else block.result
        talk.tools.changed(block)

    def permission(self, event: Event) -> None:
        """Add a request for a permission, or its answer or end."""
        talk, place = self._talks.of(event.span_id, inside=False)
        payload = event.payload
        if event.event_type == "permission_request":
            if known := self._talks.note(talk, request_id_of(event)):
                # After an interruption was undone, the store repeats the requests that the interruption had closed.
                is_of_store = event.actor == "supervisor" and event.origin is not msgspec.UNSET
                if is_of_store and known.state == "cleared":
                    known.state, known.by, known.claimed, known.reason = "open", "", False, ""
                return
            name = text(payload, "tool_name") or "permission"
            block = talk.tools.of_request(event.span_id, name)
            if block is None:
                block = ToolBlock(**self._talks.base(event, place), tool=name, span_id=event.span_id, is_request=True)
                block.arguments = payload.get("arguments")
                talk.blocks.append(talk.tools.add(block))
            reason = text(payload, "reason", "message") or ""
            block.permission = PermissionNote(request_id=request_id_of(event), asked=reason)
            return
        if is_claim(event):
            return
        note = self._talks.note(talk, text(payload, "request_id"))
        if note is None or note.state != "open":
            return
        if event.event_type == "permission_response":
            note.state = "approved" if payload.get("approved") is True else "denied"
        else:
            note.state = "expired" if payload.get("cause") == "expired" else "cleared"
        note.by, note.claimed = text(payload, "by") or "", event.origin != "server"
        note.reason = text(payload, "reason") or ""

"""Joins the parts of a tool call that different events report: the model's request, the span of the tool, its result,
and the permission request."""

from __future__ import annotations

from typing import Any

from signalbox.store.model_calls import Part
from signalbox.webapp.views.conversation.blocks import PermissionNote, ToolBlock


class ToolCalls:
    """The tool calls of one agent, in the order of the log."""

    def __init__(self) -> None:
        self._all: list[ToolBlock] = []

    def add(self, block: ToolBlock) -> ToolBlock:
        """Add a call."""
        self._all.append(block)
        return block

    def asked(self, part: Part) -> ToolBlock | None:
        """Return the call that a message requests, if the log reported it before."""
        if part.call_id and (known := self._with_id(part.call_id)):
            return known
        for block in reversed(self._all):
            if not block.call_id and block.tool == part.name and _same(block.arguments, part.value):
                block.call_id = part.call_id
                return block
        return None

    def answered(self, part: Part, seq: int) -> ToolBlock | None:
        """Add the result that a message has to its call, and return the call. None if the log has no such call."""
        block = self._with_id(part.call_id) if part.call_id else None
        if block is None:
            waiting = [one for one in self._all if not one.is_answered and part.name in ("", one.tool)]
            same = (one for one in self._all if one.is_answered and _same(one.result, part.value))
            block = waiting[0] if waiting and not part.call_id else next(same, None)
        if block is None:
            return None
        if not block.is_answered:
            block.result, block.result_seq = part.value, seq
            block.state = "failed" if part.failed else block.state or "done"
        return block

    def started(self, span_id: str, name: str, call_id: str) -> ToolBlock | None:
        """Return the requested call that a span now carries out, or None."""
        if call_id and (known := self._with_id(call_id)):
            return known
        by_span = [block for block in self._all if block.span_id == span_id and not block.is_request]
        if by_span:
            return by_span[-1]
        waiting = (one for one in self._all if one.tool == name and not one.is_answered and not one.state)
        return next(waiting, None)

    def of_request(self, span_id: str, name: str) -> ToolBlock | None:
        """Return the call for which a permission request asks, or None."""
        for block in reversed(self._all):
            if block.permission is None and not block.is_answered and block.tool == name:
                return block
        return next((block for block in self._all if block.span_id == span_id and block.permission is None), None)

    def permission(self, request_id: str | None) -> PermissionNote | None:
        """Return the note of a permission request; without an id, of the newest open one."""
        notes = [block.permission for block in self._all if block.permission]
        if request_id is None:
            return next((note for note in reversed(notes) if note.state == "open"), None)
        return next((note for note in notes if note.request_id == request_id), None)

    def _with_id(self, call_id: str) -> ToolBlock | None:
        return next((block for block in reversed(self._all) if block.call_id == call_id), None)


def _same(one: Any, other: Any) -> bool:
    return bool(one == other) or str(one).strip() == str(other).strip()

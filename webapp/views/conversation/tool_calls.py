"""Joins the parts of a tool call that different events report: the model's request, the span of the tool, its result,
and the permission request."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any

import msgspec

from signalbox.store.model_calls import Part
from signalbox.webapp.views.conversation.blocks import PermissionNote, ToolBlock


class ToolCalls:
    """The tool calls of one agent, in the order of the log.

    Messages can name thousands of calls, so the calls that a part of a message may mean are found by their ids,
    arguments and results.
    """

    def __init__(self) -> None:
        self._all: list[ToolBlock] = []
        self._by_id: dict[str, ToolBlock] = {}
        self._without_id: dict[tuple[str, str], list[ToolBlock]] = {}
        self._by_result: dict[str, ToolBlock] = {}
        self._waiting: dict[str, deque[ToolBlock]] = {}

    def add(self, block: ToolBlock) -> ToolBlock:
        """Add a call."""
        self._all.append(block)
        for name in {block.tool, ""}:
            self._waiting.setdefault(name, deque()).append(block)
        self.changed(block)
        return block

    def changed(self, block: ToolBlock) -> None:
        """Note that the arguments or the result of a call have changed."""
        if not block.call_id:
            for text in _texts(block.arguments):
                self._without_id.setdefault((block.tool, text), []).append(block)
        else:
            self._by_id[block.call_id] = block
        if block.is_answered:
            for text in _texts(block.result):
                self._by_result.setdefault(text, block)

    def asked(self, part: Part) -> ToolBlock | None:
        """Return the call that a message requests, if the log reported it before."""
        if part.call_id and (known := self._by_id.get(part.call_id)):
            return known
        for text in _texts(part.value):
            alike = self._without_id.get((part.name, text), [])
            while alike:
                block = alike[-1]
                if not block.call_id and _same(block.arguments, part.value):
                    if part.call_id:
                        block.call_id = part.call_id
                        self._by_id[part.call_id] = block
                    return block
                alike.pop()
        return None

    def answered(self, part: Part, seq: int) -> ToolBlock | None:
        """Add the result that a message has to its call, and return the call. None if the log has no such call."""
        block = self._by_id.get(part.call_id) if part.call_id else self._first_waiting(part.name)
        block = block or self._with_result(part.value)
        if block is not None and not block.is_answered:
            block.result, block.result_seq = part.value, seq
            block.state = "failed" if part.failed else block.state or "done"
            self.changed(block)
        return block

    def _first_waiting(self, name: str) -> ToolBlock | None:
        waiting = self._waiting.get(name, deque())
        while waiting and waiting[0].is_answered:
            waiting.popleft()
        return waiting[0] if waiting else None

    def _with_result(self, value: Any) -> ToolBlock | None:
        found = (self._by_result.get(text) for text in _texts(value))
        return next((block for block in found if block and _same(block.result, value)), None)

    def started(self, span_id: str, name: str, call_id: str) -> ToolBlock | None:
        """Return the requested call that a span now carries out, or None."""
        if call_id and (known := self._by_id.get(call_id)):
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


def _same(one: Any, other: Any) -> bool:
    return bool(one == other) or str(one).strip() == str(other).strip()


def _texts(value: Any) -> Sequence[str]:
    """Return texts of which two values have one in common if they are the same."""
    said = str(value).strip()
    # The keys of an object may be in another order.
    return (said, msgspec.json.encode(value, order="sorted").decode()) if isinstance(value, dict | list) else (said,)

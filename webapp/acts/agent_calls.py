"""What a process remembers of the calls of hooks, to join those that belong together."""

from __future__ import annotations

from collections import OrderedDict

from signalbox.store import Store
from signalbox.store.state import Task
from signalbox.webapp.coding_agents.hook_call import HookCall, tool_digest

MAX_REMEMBERED = 20_000
"""Tool calls, and calls of hooks, that are remembered."""

SAME_CALL_SECONDS = 5.0
"""The same JSON within this time is one call, which two settings files report."""


class AgentCalls:
    """The keys of calls, and the spans of tool calls. Another process of the server finds most of them itself."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._spans = _Remembered()
        self._keys = _Remembered()
        self._newest = _Remembered()

    def key(self, task: Task, call: HookCall, at: float) -> str:
        """Return the key of a call. The same JSON within a few seconds has the same key."""
        known = self._keys.get((task.task_id, call.digest))
        if known is not None and abs(at - float(known.partition(" ")[0])) < SAME_CALL_SECONDS:
            return known.partition(" ")[2]
        key = f"hook:{call.digest}:{int(at // SAME_CALL_SECONDS)}"
        self._keys[task.task_id, call.digest] = f"{at} {key}"
        return key

    def overtaken(self, task: Task, at: float, *, kept: bool) -> bool:
        """Return whether a later call of the session is in the log already, as questions do not wait on disk."""
        newest = float(self._newest.get((task.task_id, ""), "0"))
        if kept:
            return at < newest
        self._newest[task.task_id, ""] = str(max(at, newest))
        return False

    async def tool_span(self, task: Task, call: HookCall) -> tuple[str, bool]:
        """Return the span of the call's tool, and whether the log does not have its start.

        Hooks about one tool call without an id are joined by its arguments; a request for permission else belongs to
        the newest open call of the tool.
        """
        if not call.tool:
            return "", False
        digest = call.call_digest
        if call.tool_use_id:
            span = call.tool_use_id if call.tool_use_id.isprintable() and len(call.tool_use_id) <= 200 else digest
            self._spans[task.task_id, digest] = span
            return span, True
        known = self._spans.get((task.task_id, digest))
        if known is None and call.moment == "permission" and task.spans_open:
            async with self._store.glance() as view:
                opened = await view.open_spans(task.task_id)
            known = next((one.span_id for one in reversed(opened) if (one.kind, one.name) == ("tool", call.tool)), None)
        span = known or f"tool-{digest}"
        self._spans[task.task_id, digest] = span
        return span, known is None

    def changed(self, task: Task, call: HookCall, arguments: object, span: str) -> None:
        """Remember that a person changed the arguments: the end of the call reports the changed ones."""
        self._spans[task.task_id, tool_digest(call.tool, arguments)] = span


class _Remembered(OrderedDict[tuple[str, str], str]):
    """A dict that forgets its oldest items."""

    def __setitem__(self, key: tuple[str, str], value: str) -> None:
        super().__setitem__(key, value)
        self.move_to_end(key)
        if len(self) > MAX_REMEMBERED:
            self.popitem(last=False)

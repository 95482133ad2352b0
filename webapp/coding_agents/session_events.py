"""The events of a session's task for one call of a hook.

A session is a task, a tool call a span, a subagent a span around its tool calls. Prompts and answers are messages of
the conversation. Each event has a key, so a call that arrives again appends nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import msgspec

from signalbox.store import NewEvent
from signalbox.store.projections.title import readable_title
from signalbox.store.state import Task
from signalbox.webapp.coding_agents.agents import AGENTS
from signalbox.webapp.coding_agents.hook_call import HookCall

SESSION = "session"
"""The main span of a session's task."""

BEGINS_WORK = frozenset({"session_start", "prompt", "tool_start", "permission", "subagent_start"})
"""Moments that start a session again after its end."""

WAITING = "Waiting for the next prompt"

_CAPITAL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def span_of_subagent(agent_id: str) -> str:
    """Return the span of a subagent."""
    return f"subagent-{agent_id}"[:256]


def session_events(
    call: HookCall,
    task: Task,
    *,
    key: str,
    tool_span: str = "",
    is_new_tool: bool = True,
    at: str | None = None,
    overtaken: bool = False,
) -> list[NewEvent]:
    """Return the events that `call` adds to the log of `task`, as it was before.

    `key` identifies the call. `tool_span` is the span of its tool; without `is_new_tool` the log has its start already.
    `at` is the time of the call if it arrives late. A call that was overtaken by a later one changes no status.
    """
    found = _Events(call, task, key, tool_span, is_new_tool, at).all()
    return list(_without_status(found, call)) if overtaken else found


def _without_status(events: list[NewEvent], call: HookCall) -> Iterator[NewEvent]:
    for event in events:
        if event.event_type not in ("status", "runner_exit"):
            yield event
        elif call.moment in ("turn_end", "session_end"):
            payload = {name: value for name, value in event.payload.items() if name in ("reason", "hook")}
            yield msgspec.structs.replace(event, event_type=_own_type(call.event), payload=payload)


def _own_type(event: str) -> str:
    """Return the type of the event of a hook that has no other meaning here."""
    return f"hook_{_CAPITAL.sub('_', event).lower()}"[:256]


def denial(call: HookCall, tool_span: str, reason: str, key: str) -> NewEvent:
    """Return the event that ends the span of a tool call that was denied and therefore never runs."""
    payload = {"tool_name": call.tool, "error_code": "denied", "message": reason}
    return NewEvent(event_type="tool_result", span_id=tool_span, payload=payload, key=f"{key}:denied")


class _Events:
    def __init__(self, call: HookCall, task: Task, key: str, tool_span: str, is_new_tool: bool, at: str | None) -> None:
        self._call, self._task, self._key, self._at = call, task, key, at
        self._parent = span_of_subagent(call.agent_id) if call.agent_id else SESSION
        self._tool_span, self._is_new_tool = tool_span, is_new_tool
        self._found: list[NewEvent] = []

    def all(self) -> list[NewEvent]:
        call, task = self._call, self._task
        if call.moment == "session_start":
            self._start()
        elif not task.spawn_seq:
            self._add("runner_spawn", SESSION, {"runner_version": call.agent, "cwd": call.cwd}, "begin")
        elif task.cancel_requested:
            if call.moment == "prompt":
                self._add("runner_spawn", SESSION, {"runner_version": call.agent, "cwd": call.cwd}, "again")
        elif task.ended and call.moment in BEGINS_WORK:
            self._add("status", SESSION, {"status": "running", "message": "The session continues"}, "again")
        if call.moment in ("tool_start", "permission", "tool_end", "tool_failure", "permission_denied"):
            self._tool()
        elif call.moment in ("subagent_start", "subagent_end"):
            self._subagent()
        elif call.moment != "session_start":
            getattr(self, f"_{call.moment}")()
        return self._found

    def _start(self) -> None:
        call, task = self._call, self._task
        details = {"source": call.source, "model": call.model, "cwd": call.cwd, **self._rest()}
        if task.spawn_seq and not task.ended:
            # `resume` and `compact` of a session that is still open.
            # The key is that of the start, because a call can arrive twice.
            self._add("session_continued", SESSION, details, "runner_spawn")
        else:
            self._add("runner_spawn", SESSION, {"runner_version": call.agent, **details})
        if title := readable_title(call.rest.get("session_title")):
            self._title(title)

    def _title(self, title: str) -> None:
        if self._task.title is None:
            self._add("title_changed", None, {"title": title}, "title")

    def _prompt(self) -> None:
        if title := readable_title(self._call.text):
            self._title(title)
        self._add("user_message", SESSION, {"content": self._call.text, **self._rest()})
        self._add("status", SESSION, {"status": "running", "message": "Working"}, "status")

    def _tool(self) -> None:
        call = self._call
        named = {"tool_name": call.tool or "tool"}
        start = {**named, "arguments": call.arguments}
        starts = call.moment in ("tool_start", "permission")
        # A call whose start was not reported gets its span now. With an id of the call, its key is known otherwise.
        if call.moment == "tool_start" or self._is_new_tool or call.tool_use_id:
            more = self._rest() if starts else {}
            self._add("tool_status", self._tool_span, start | more, "start", parent=self._parent, of_tool=True)
        if starts:
            return
        end: dict[str, Any] = {**named, "result": call.result}
        if call.moment == "tool_failure":
            interrupted = call.rest.get("is_interrupt") is True
            end = {**named, "error_code": "interrupted" if interrupted else "tool_failed", "message": call.text}
        elif call.moment == "permission_denied":
            end = {**named, "error_code": "denied", "message": call.text}
        self._add("tool_result", self._tool_span, end | self._rest(), "end", of_tool=True)

    def _subagent(self) -> None:
        call = self._call
        span, name = span_of_subagent(call.agent_id or "unknown"), call.agent_type or "subagent"
        payload = {"name": name, "work_type": "subagent", **self._rest()}
        if call.moment == "subagent_start":
            self._add("span_start", span, payload, parent=SESSION)
            return
        if call.text:
            self._add("assistant_message", span, {"content": call.text}, "answer", parent=SESSION)
        self._add("span_end", span, payload, parent=SESSION)

    def _notification(self) -> None:
        self._add("notification", SESSION, {"message": self._call.text, **self._rest()})

    def _turn_end(self) -> None:
        if self._call.text:
            self._add("assistant_message", SESSION, {"content": self._call.text}, "answer")
        ends = not AGENTS[self._call.agent].ends_sessions
        status = {"status": "done"} if ends else {}
        self._add("status", SESSION, {**status, "message": WAITING, **self._rest()})

    def _turn_failure(self) -> None:
        said = self._call.text or "the turn failed"
        self._add("log", SESSION, {"message": said, "level": "error", "error_code": "turn_failed", **self._rest()})

    def _session_end(self) -> None:
        said = f"Ended: {self._call.source.replace('_', ' ')}" if self._call.source else "Ended"
        payload = {"exit_code": 0, "message": said, "reason": self._call.source}
        self._add("runner_exit", SESSION, payload | self._rest())

    def _other(self) -> None:
        payload = self._rest()
        if self._call.tool:
            payload |= {"tool_name": self._call.tool, "arguments": self._call.arguments}
        self._add(_own_type(self._call.event), self._parent if self._call.agent_id else SESSION, payload)

    def _rest(self) -> dict[str, Any]:
        """Return the fields without a place of their own, and a folder or model other than that of the session."""
        call, task = self._call, self._task
        kept = dict(call.rest)
        for name, known in (("cwd", task.metadata.get("cwd")), ("model", task.tags.get("model"))):
            value = getattr(call, name)
            if value and value != known and call.moment != "session_start":
                kept[name] = value
        if call.agent_type and call.moment not in ("subagent_start", "subagent_end"):
            kept["agent_type"] = call.agent_type
        return {"hook": kept} if kept else {}

    def _add(
        self,
        event_type: str,
        span: str | None,
        payload: dict[str, Any],
        part: str = "",
        *,
        parent: str | None = None,
        of_tool: bool = False,
    ) -> None:
        # The start and the end of a tool call have the keys of the call, whichever hook reports them.
        name = f"tool:{self._tool_span}" if of_tool and self._call.tool_use_id else self._key
        self._found.append(
            NewEvent(
                event_type=event_type,
                span_id=span,
                parent_span_id=parent if parent != span else None,
                payload={name: value for name, value in payload.items() if value not in ("", None)},
                key=f"{name}:{part or event_type}"[:256],
                occurred_at=self._at,
            )
        )

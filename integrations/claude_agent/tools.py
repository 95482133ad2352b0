"""Tool calls and subagents of Claude, which hooks and messages both report."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from signalbox.integrations.reporting.traces.traced_task import TracedTask
from signalbox.integrations.reporting.traces.values import plain

AGENT_TOOLS = ("Agent", "Task")
"""The names of the tool that starts a subagent."""


@dataclass
class OpenTool:
    """A tool call without a result yet."""

    name: str
    arguments: Any


class Tools:
    """The open tool calls and subagents. Whichever report comes first opens a call, and the first result closes it."""

    def __init__(self, task: TracedTask) -> None:
        self._task = task
        self._open: dict[str, OpenTool] = {}
        self._seen: set[str] = set()
        self._agents: dict[str, str] = {}
        self._starters: dict[str, str] = {}

    def start(self, tool_id: str, name: str, arguments: Any, parent: str | None) -> None:
        """Report the beginning of a call, unless it was reported before."""
        if tool_id in self._seen:
            return
        self._seen.add(tool_id)
        self._open[tool_id] = OpenTool(name, plain(arguments))
        self._task.tool(tool_id, parent, name, plain(arguments), call_id=tool_id)

    def end(self, tool_id: str, result: Any, error: dict[str, Any] | None = None, arguments: Any = None) -> None:
        """Report the end of a call, unless it was reported before. `arguments` are those that people changed."""
        tool = self._open.pop(tool_id, None)
        if tool is None:
            return
        changed = plain(arguments) if arguments is not None and plain(arguments) != tool.arguments else None
        self._task.tool_ended(tool_id, tool.name, error, result=plain(result), arguments=changed, tool_call_id=tool_id)

    def started_by(self, agent_id: str, tool_id: str | None) -> None:
        """Remember which call starts a subagent."""
        if tool_id:
            self._starters.setdefault(agent_id, tool_id)

    def agent_started(self, agent_id: str, kind: str) -> None:
        """Report the beginning of a subagent. The call that started it has its span, else it gets one of its own."""
        self.started_by(agent_id, self._starter(kind))
        if agent_id not in self._starters and agent_id not in self._agents:
            self._agents[agent_id] = kind
            self._task.step(_span(agent_id), None, kind, "agent", agent_id=agent_id)

    def agent_ended(self, agent_id: str, said: str | None = None) -> None:
        """Report the end of a subagent. That of one with a call is the result of the call."""
        kind = self._agents.pop(agent_id, None)
        if kind is not None:
            self._task.step_ended(_span(agent_id), kind, "agent", message=said)

    def starter_of(self, agent_id: str | None) -> str | None:
        """Return the call that started a subagent. None for the main agent, and if the call is not known."""
        return self._starters.get(agent_id or "")

    def place_of(self, agent_id: str | None) -> str | None:
        """Return the span of a subagent, None for the main agent."""
        return self.starter_of(agent_id) or (_span(agent_id) if agent_id and agent_id in self._agents else None)

    def _starter(self, kind: str) -> str | None:
        """Return the newest call that starts a subagent of this kind, and has not started one."""
        taken = set(self._starters.values())
        for tool_id, tool in reversed(self._open.items()):
            wanted = tool.arguments.get("subagent_type") if isinstance(tool.arguments, dict) else None
            if tool.name in AGENT_TOOLS and tool_id not in taken and wanted in (None, kind):
                return tool_id
        return None


def _span(agent_id: str) -> str:
    return f"agent-{agent_id}"

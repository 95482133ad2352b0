"""The commands that agents of projects may run, as values for a page. They are configured in a terminal."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field
from typing import Any

from signalbox.store.people import Project
from signalbox.store.redaction.rules import Redaction
from signalbox.store.urls import without_password


@dataclass(frozen=True, kw_only=True)
class AgentCommand:
    """One command of a project's agent, or its server. `variables` are the names of its environment, without values."""

    project_id: str
    kind: str
    name: str = ""
    line: str
    cwd: str = ""
    variables: list[str] = field(default_factory=list)
    time_limit: float | None = None


def commands_of(project: Project, redaction: Redaction) -> list[AgentCommand]:
    """Return the commands of a project's agent, without secrets; none if it has no agent."""
    agent = project.agent
    if not agent:
        return []
    if agent.get("kind") == "upstream":
        url = without_password(str(agent.get("url")))
        return [AgentCommand(project_id=project.project_id, kind="server", line=url)]
    commands: dict[str, Any] = agent.get("commands") or {"": agent}
    return [
        AgentCommand(
            project_id=project.project_id,
            kind="command",
            name=name,
            line=redaction.text(shlex.join(str(word) for word in command.get("argv") or [])),
            cwd=command.get("cwd") or "",
            variables=sorted(command.get("env") or {}),
            time_limit=command.get("time_limit"),
        )
        for name, command in commands.items()
    ]

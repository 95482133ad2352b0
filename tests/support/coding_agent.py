"""A coding agent that runs the hooks of its settings exactly as Claude Code does, without a model or an account."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.agent_payloads import payload
from tests.support.command import environment


@dataclass(frozen=True)
class Ran:
    """One hook that ran: its exit code and its outputs."""

    code: int
    stdout: str
    stderr: str

    @property
    def answer(self) -> dict[str, Any]:
        """The JSON that the hook printed. An empty output means that it has no opinion."""
        return json.loads(self.stdout) if self.stdout.strip() else {}


class CodingAgent:
    """An agent with the session `session`. It runs each hook in a shell, with JSON on its input and its own timeout."""

    def __init__(self, settings: Path, session: str, agent: str = "claude-code", **variables: str) -> None:
        self._settings, self._session, self._agent = settings, session, agent
        self._variables = variables

    def call(self, name: str, **changed: Any) -> list[Ran]:
        """Run the hooks for a recorded payload, with some fields changed. Raises TimeoutExpired like the agent."""
        given = payload(self._agent, name, self._session, **changed)
        groups = json.loads(self._settings.read_text())["hooks"].get(given["hook_event_name"], [])
        commands = [
            (hook["command"], hook["timeout"])
            for group in groups
            if group.get("matcher", "*") in ("*", "", given.get("tool_name"))
            for hook in group["hooks"]
        ]
        return [self._run(command, timeout, given) for command, timeout in commands]

    def _run(self, command: str, timeout: float, given: dict[str, Any]) -> Ran:
        done = subprocess.run(
            command,
            shell=True,
            input=json.dumps(given),
            capture_output=True,
            text=True,
            timeout=timeout,
            cwd=self._settings.parent,
            env=environment(**self._variables),
        )
        return Ran(done.returncode, done.stdout, done.stderr)

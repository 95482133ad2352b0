"""Where each coding agent has its hooks, and the hooks that Signalbox installs there."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from signalbox.webapp.coding_agents.settings_text import Entries

WAIT_MARGIN_S = 30
"""Seconds that an agent waits for the hook longer than the hook waits for an answer."""

TIMEOUT_S = 10
"""Seconds that an agent waits for a hook that asks nobody. The hook itself ends much earlier."""

_OURS = re.compile(r"\bsignalbox(?:-console)?\b.*\bhook (?:claude-code|codex|gemini-cli)\b")


@dataclass(frozen=True)
class HookPlace:
    """The settings of one agent: the file below the home folder or a project's, and the events with hooks there.

    `asking` are the events whose hook may wait for a person. `per_second` is the unit of the agent's timeouts.
    """

    file: str
    events: Sequence[str]
    asking: frozenset[str]
    per_second: int = 1
    home_variable: str = ""

    def path(self, project: Path | None) -> Path:
        """Return the settings file of the user, or of a project."""
        if project is not None:
            return project / self.file
        folder, _, name = self.file.partition("/")
        configured = os.environ.get(self.home_variable) if self.home_variable else None
        return (Path(configured) if configured else Path.home() / folder) / name


PLACES: dict[str, HookPlace] = {
    "claude-code": HookPlace(
        ".claude/settings.json",
        (
            *("SessionStart", "UserPromptSubmit", "PreToolUse", "PermissionRequest", "PostToolUse"),
            *("PostToolUseFailure", "PermissionDenied", "Notification", "SubagentStart", "SubagentStop"),
            *("PreCompact", "Stop", "StopFailure", "SessionEnd"),
        ),
        frozenset({"PreToolUse", "PermissionRequest"}),
        home_variable="CLAUDE_CONFIG_DIR",
    ),
    "codex": HookPlace(
        ".codex/hooks.json",
        (
            *("SessionStart", "UserPromptSubmit", "PreToolUse", "PermissionRequest", "PostToolUse"),
            *("SubagentStart", "SubagentStop", "PreCompact", "Stop"),
        ),
        frozenset({"PreToolUse", "PermissionRequest"}),
        home_variable="CODEX_HOME",
    ),
    "gemini-cli": HookPlace(
        ".gemini/settings.json",
        (
            *("SessionStart", "BeforeAgent", "BeforeTool", "AfterTool", "AfterAgent", "Notification"),
            *("PreCompress", "SessionEnd"),
        ),
        frozenset({"BeforeTool"}),
        per_second=1000,
    ),
}


def entries(agent: str, command: str, wait: float) -> Entries:
    """Return the hooks for the settings of an agent: `command` for each event."""
    place = PLACES[agent]

    def group(event: str) -> dict[str, Any]:
        seconds = wait + WAIT_MARGIN_S if event in place.asking else TIMEOUT_S
        return {"hooks": [{"type": "command", "command": command, "timeout": int(seconds * place.per_second)}]}

    return {event: [group(event)] for event in place.events}


def is_ours(hook: dict[str, Any]) -> bool:
    """Return whether Signalbox installed this hook."""
    command = hook.get("command")
    return isinstance(command, str) and _OURS.search(command) is not None


def hook_command(agent: str, options: Sequence[str]) -> str:
    """Return the command line of the hook: this Signalbox, whatever the folder and the PATH of the agent are."""
    return shlex.join([*_signalbox(), "hook", agent, *options])


def is_temporary() -> bool:
    """Return whether this Signalbox lies in a cache, such as that of `uvx`, which may be cleaned."""
    return any(part in ("archive-v0", ".cache", "pipx-run") for part in Path(sys.prefix).parts)


def _signalbox() -> list[str]:
    for folder in (os.path.dirname(sys.executable), os.path.dirname(os.path.abspath(sys.argv[0]))):
        for name in ("signalbox", "signalbox.exe"):
            if shutil.which(name, path=folder):
                return [os.path.join(folder, name)]
    return [sys.executable, "-m", "signalbox"]

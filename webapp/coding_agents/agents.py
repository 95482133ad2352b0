"""The coding agents that Signalbox knows, each with the shapes of its hooks."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import msgspec

from signalbox.webapp.coding_agents.hook_call import HookCall, Moment, required_text, text_in

COMMON_FIELDS = frozenset(
    (
        *("hook_event_name", "session_id", "cwd", "model", "transcript_path", "agent_id", "agent_type"),
        *("tool_name", "tool_input", "tool_response", "tool_use_id"),
    )
)
"""The fields of a `HookCall`, as the agents name them, and those that are metadata of the task."""

TEXTS: dict[Moment, tuple[str, ...]] = {
    "prompt": ("prompt",),
    "notification": ("message",),
    "tool_failure": ("error",),
    "permission_denied": ("reason",),
    "turn_end": ("last_assistant_message", "prompt_response"),
    "turn_failure": ("error_details", "error", "last_assistant_message"),
    "subagent_end": ("last_assistant_message",),
}
"""The fields that say something, by moment. The first one that is present counts."""
SOURCES: dict[Moment, str] = {"session_start": "source", "session_end": "reason"}


class HookOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """The decision about a tool call, for the agent. `none`: the agent decides as if there were no hook.

    `arguments` are set if a person changed them. `asked` says that a rule wants a question, which nobody answered here.
    With `stop` the agent should also end its turn, because a person cancelled the session.
    """

    decision: Literal["allow", "deny", "none"] = "none"
    reason: str = ""
    arguments: Any = None
    asked: bool = False
    stop: bool = False


@dataclass(frozen=True, kw_only=True)
class Agent:
    """A coding agent. `moments` maps its events; others are kept under their own names.

    The answers to its events `edits` may change the arguments. `ends_sessions` says whether it reports the end of a
    session; else the end of a turn counts. With `allows_early` an answer before the tool call can allow it.
    """

    name: str
    title: str
    moments: Mapping[str, Moment]
    edits: frozenset[str]
    ends_sessions: bool = True
    allows_early: bool = True

    def read(self, payload: Mapping[str, Any]) -> HookCall:
        """Read the JSON of a hook. Raises InvalidCall."""
        event = required_text(payload, "hook_event_name")
        moment = self.moments.get(event, "other")
        texts, source = TEXTS.get(moment, ()), SOURCES.get(moment, "")
        used = {*COMMON_FIELDS, source, *texts[:1]}
        return HookCall(
            agent=self.name,
            event=event,
            moment=moment,
            session_id=required_text(payload, "session_id"),
            cwd=text_in(payload, "cwd"),
            transcript_path=text_in(payload, "transcript_path"),
            model=text_in(payload, "model"),
            tool=text_in(payload, "tool_name"),
            arguments=payload.get("tool_input"),
            result=payload.get("tool_response"),
            tool_use_id=text_in(payload, "tool_use_id"),
            agent_id=text_in(payload, "agent_id"),
            agent_type=text_in(payload, "agent_type"),
            text=text_in(payload, *texts),
            source=text_in(payload, source),
            rest={name: value for name, value in payload.items() if name not in used},
            digest=hashlib.sha256(msgspec.json.encode(payload, order="sorted")).hexdigest()[:32],
        )


_SHARED: dict[str, Moment] = {
    "SessionStart": "session_start",
    "UserPromptSubmit": "prompt",
    "PreToolUse": "tool_start",
    "PermissionRequest": "permission",
    "PostToolUse": "tool_end",
    "SubagentStart": "subagent_start",
    "SubagentStop": "subagent_end",
    "Stop": "turn_end",
    "StopFailure": "turn_failure",
}

CLAUDE_CODE = Agent(
    name="claude-code",
    title="Claude Code",
    moments=_SHARED
    | {
        "PostToolUseFailure": "tool_failure",
        "PermissionDenied": "permission_denied",
        "Notification": "notification",
        "SessionEnd": "session_end",
    },
    edits=frozenset({"PreToolUse", "PermissionRequest"}),
)
CODEX = Agent(
    name="codex",
    title="Codex",
    moments=_SHARED | {"SessionEnd": "session_end"},
    edits=frozenset({"PreToolUse"}),
    ends_sessions=False,
    allows_early=False,
)
GEMINI_CLI = Agent(
    name="gemini-cli",
    title="Gemini CLI",
    moments={
        "SessionStart": "session_start",
        "BeforeAgent": "prompt",
        "BeforeTool": "tool_start",
        "AfterTool": "tool_end",
        "Notification": "notification",
        "AfterAgent": "turn_end",
        "SessionEnd": "session_end",
    },
    edits=frozenset({"BeforeTool"}),
)
AGENTS: dict[str, Agent] = {agent.name: agent for agent in (CLAUDE_CODE, CODEX, GEMINI_CLI)}

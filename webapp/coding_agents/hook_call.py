"""One call of a hook, read from the JSON that a coding agent sends. Unknown fields and events are kept."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from signalbox.store.agent_sessions import task_of_session

Moment = Literal[
    "session_start",
    "prompt",
    "tool_start",
    "permission",
    "tool_end",
    "tool_failure",
    "permission_denied",
    "subagent_start",
    "subagent_end",
    "notification",
    "turn_end",
    "turn_failure",
    "session_end",
    "other",
]
"""What an event of any agent means."""


class InvalidCall(ValueError):
    """The JSON lacks a field without which the call belongs to no session. `field` names it."""

    def __init__(self, message: str, field: str) -> None:
        super().__init__(message)
        self.field = field


class HookCall(msgspec.Struct, frozen=True, kw_only=True):
    """A call of a hook. Texts that the agent did not send are empty; `rest` are the fields that have no other place.

    `tool_use_id` is the agent's id of a tool call. `agent_id` and `agent_type` are those of a subagent, also in the
    calls of its tools. `text` is what was said: a prompt, the last answer, a notification or an error.
    """

    agent: str
    event: str
    moment: Moment
    session_id: str
    cwd: str = ""
    transcript_path: str = ""
    model: str = ""
    tool: str = ""
    arguments: Any = None
    result: Any = None
    tool_use_id: str = ""
    agent_id: str = ""
    agent_type: str = ""
    text: str = ""
    source: str = ""
    rest: dict[str, Any] = {}
    digest: str = ""

    @property
    def task_id(self) -> str:
        """The id of the session's task: the agent and the session, such as `claude-code-5f0c…`."""
        return task_of_session(self.agent, self.session_id)

    @property
    def call_digest(self) -> str:
        """A digest of the tool with its arguments. It joins calls of hooks about one tool call that has no id."""
        return tool_digest(self.tool, self.arguments)


def tool_digest(tool: str, arguments: Any) -> str:
    """Return a digest of a tool with its arguments."""
    return hashlib.sha256(msgspec.json.encode([tool, arguments], order="sorted")).hexdigest()[:24]


def text_in(payload: Mapping[str, Any], *names: str) -> str:
    """Return the first of these fields that is a text, or ""."""
    for name in names:
        value = payload.get(name)
        if isinstance(value, str) and value:
            return value
    return ""


def required_text(payload: Mapping[str, Any], name: str) -> str:
    """Return a field that every call has. Raises InvalidCall."""
    value = payload.get(name)
    if not isinstance(value, str) or not value or len(value) > 1000:
        raise InvalidCall(f"{name} must be a text of 1 to 1000 characters", name)
    return value

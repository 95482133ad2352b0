"""Reports sessions of the Claude Agent SDK: its hooks, its permissions, and the messages that a program receives."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator
from dataclasses import replace
from types import TracebackType
from typing import Any

from claude_agent_sdk import ClaudeAgentOptions, HookMatcher, PermissionResult, ToolPermissionContext

from signalbox.integrations.claude_agent.permissions import Fallback, ask
from signalbox.integrations.claude_agent.session import ClaudeSession
from signalbox.integrations.reporting.background import background_writer
from signalbox.integrations.reporting.target import target

HOOKS = (
    "PreToolUse",
    "PostToolUse",
    "PostToolUseFailure",
    "UserPromptSubmit",
    "SubagentStart",
    "SubagentStop",
    "Notification",
    "PreCompact",
)


class ClaudeReporter:
    """Reports one session as a task, and asks people for permission.

    with ClaudeReporter(timeout=600) as reporter:
        options = reporter.options(ClaudeAgentOptions(…))
        async for message in reporter.messages(query(prompt=prompt, options=options), prompt):
            …

    A request for permission waits `timeout` seconds for an answer, without one until somebody answers. After that, or
    if the store is away, `fallback` decides: `"deny"`, `"allow"`, or a function like `can_use_tool`. With `ask=False`
    Claude asks in its own way. `store`, `server`, `token` and `project` say where to report; without them the
    environment does.
    """

    def __init__(
        self,
        *,
        title: str | None = None,
        ask: bool = True,
        timeout: float | None = None,
        fallback: Fallback = "deny",
        store: str | None = None,
        server: str | None = None,
        token: str | None = None,
        project: str | None = None,
    ) -> None:
        self._asks, self._timeout, self._fallback = ask, timeout, fallback
        writer = background_writer(target(store, server=server, token=token, project=project))
        self.session = ClaudeSession(writer, title=title)

    def __enter__(self) -> ClaudeReporter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.session.end(error)

    def options(self, options: ClaudeAgentOptions | None = None) -> ClaudeAgentOptions:
        """Return options with the hooks of Signalbox after those that they have, and with `can_use_tool`.

        Options with a `can_use_tool` or a `permission_prompt_tool_name` of their own keep it.
        """
        options = options or ClaudeAgentOptions()
        hooks: dict[Any, list[HookMatcher]] = {**(options.hooks or {})}
        for event in HOOKS:
            hooks[event] = [*hooks.get(event, ()), HookMatcher(hooks=[self.hook])]
        changed = replace(options, hooks=hooks)
        if self._asks and options.can_use_tool is None and options.permission_prompt_tool_name is None:
            changed = replace(changed, can_use_tool=self.can_use_tool)
        return changed

    async def hook(self, given: Any, tool_use_id: str | None, context: Any) -> Any:
        """Report the call of a hook, and leave the decision to Claude: for `ClaudeAgentOptions.hooks`."""
        self.session.hook(given)
        return {}

    async def can_use_tool(
        self, tool_name: str, tool_input: dict[str, Any], context: ToolPermissionContext
    ) -> PermissionResult:
        """Ask people whether Claude may use a tool: for `ClaudeAgentOptions.can_use_tool`."""
        return await ask(self.session, tool_name, tool_input, context, timeout=self._timeout, fallback=self._fallback)

    async def messages(self, messages: AsyncIterator[Any], prompt: Any = None) -> AsyncGenerator[Any]:
        """Yield the messages of the SDK unchanged, and report them. `prompt` is reported first if it is a text."""
        if isinstance(prompt, str):
            self.session.prompt(prompt)
        async for message in messages:
            self.session.message(message)
            yield message

    async def prompts(self, prompts: AsyncIterable[dict[str, Any]]) -> AsyncGenerator[dict[str, Any]]:
        """Yield the prompts of a stream unchanged, and report them."""
        async for prompt in prompts:
            self.session.prompt(text_of(prompt))
            yield prompt


def text_of(prompt: Any) -> str:
    """Return the text of a prompt: of a text itself, or of a message of the user."""
    if isinstance(prompt, str):
        return prompt
    message = prompt.get("message") if isinstance(prompt, dict) else None
    content = message.get("content") if isinstance(message, dict) else None
    if isinstance(content, list):
        content = "\n\n".join(str(part.get("text")) for part in content if isinstance(part, dict) and part.get("text"))
    return content if isinstance(content, str) else ""

"""`query` and `ClaudeSDKClient` of the Claude Agent SDK, which also report to Signalbox."""

from __future__ import annotations

import sys
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator
from typing import Any

import claude_agent_sdk
from claude_agent_sdk import ClaudeAgentOptions, Transport

from signalbox.integrations.claude_agent.reporter import ClaudeReporter, text_of


async def query(
    *,
    prompt: str | AsyncIterable[dict[str, Any]],
    options: ClaudeAgentOptions | None = None,
    transport: Transport | None = None,
    **reporting: Any,
) -> AsyncGenerator[Any]:
    """Do the same as `claude_agent_sdk.query`, as a task. `reporting` are the arguments of `ClaudeReporter`."""
    with ClaudeReporter(**reporting) as reporter:
        sent = prompt if isinstance(prompt, str) else reporter.prompts(prompt)
        messages = claude_agent_sdk.query(prompt=sent, options=reporter.options(options), transport=transport)
        try:
            async for message in reporter.messages(messages, prompt):
                yield message
        finally:
            # Leaving the loop early must stop Claude at once, as without Signalbox.
            close = getattr(messages, "aclose", None)
            if close is not None:
                await close()


class ClaudeSDKClient(claude_agent_sdk.ClaudeSDKClient):
    """Does the same as `claude_agent_sdk.ClaudeSDKClient`, as a task from its first prompt to `disconnect`.

    `reporting` are the arguments of `ClaudeReporter`.
    """

    def __init__(
        self, options: ClaudeAgentOptions | None = None, transport: Transport | None = None, **reporting: Any
    ) -> None:
        self.reporter = ClaudeReporter(**reporting)
        super().__init__(self.reporter.options(options), transport)

    async def connect(self, prompt: str | AsyncIterable[dict[str, Any]] | None = None) -> None:
        if isinstance(prompt, str):
            self.reporter.session.prompt(prompt)
        elif prompt is not None:
            prompt = self.reporter.prompts(prompt)
        await super().connect(prompt)

    async def query(self, prompt: str | AsyncIterable[dict[str, Any]], session_id: str = "default") -> None:
        if isinstance(prompt, str):
            self.reporter.session.prompt(text_of(prompt))
        else:
            prompt = self.reporter.prompts(prompt)
        await super().query(prompt, session_id)

    async def receive_messages(self) -> AsyncIterator[Any]:
        async for message in self.reporter.messages(super().receive_messages()):
            yield message

    async def disconnect(self) -> None:
        error = sys.exc_info()[1]
        try:
            await super().disconnect()
        finally:
            self.reporter.session.end(error)

    async def __aexit__(self, kind: Any, error: Any, trace: Any) -> bool:
        try:
            await super().disconnect()
        finally:
            self.reporter.session.end(error)
        return False

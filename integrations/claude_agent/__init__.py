"""The Claude Agent SDK: each session as a task, with prompts, model calls, tools, subagents and cost.

from signalbox.integrations.claude_agent import query

async for message in query(prompt="Fix the failing test"):
    …

`query` and `ClaudeSDKClient` replace those of `claude_agent_sdk`. Claude asks for permission on the pages of Signalbox.
"""

from __future__ import annotations

from signalbox.integrations.claude_agent.drop_in import ClaudeSDKClient, query
from signalbox.integrations.claude_agent.reporter import ClaudeReporter

__all__ = ["ClaudeReporter", "ClaudeSDKClient", "query"]

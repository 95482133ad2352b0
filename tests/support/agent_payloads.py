"""The JSON that coding agents give to their hooks, one recorded file for each event.

The shapes follow the agents' documentation: https://code.claude.com/docs/en/hooks and the types `…HookInput` of
`@anthropic-ai/claude-agent-sdk` for Claude Code, https://developers.openai.com/codex/hooks and the schemas in
`codex-rs/hooks/schema/generated` for Codex, https://geminicli.com/docs/hooks/reference for Gemini CLI. The agents
themselves need accounts.
"""

from __future__ import annotations

import json
from typing import Any

from tests.support.paths import ROOT

PAYLOADS = ROOT / "tests" / "coding_agents" / "payloads"


def payload(agent: str, name: str, session: str | None = None, **changed: Any) -> dict[str, Any]:
    """Return a recorded payload, with some fields changed."""
    recorded: dict[str, Any] = json.loads((PAYLOADS / agent / f"{name}.json").read_text())
    return recorded | ({"session_id": session} if session else {}) | changed

"""The answer to a hook as each agent reads it.

- Claude Code: https://code.claude.com/docs/en/hooks, and the types of `@anthropic-ai/claude-agent-sdk`
- Codex: https://developers.openai.com/codex/hooks, and the schemas in `codex-rs/hooks/schema` of its repository
- Gemini CLI: https://geminicli.com/docs/hooks/reference

An empty object means "no opinion" to all of them.
"""

from __future__ import annotations

from typing import Any

from signalbox.webapp.coding_agents.agents import CLAUDE_CODE, CODEX, GEMINI_CLI, HookOutcome
from signalbox.webapp.coding_agents.hook_call import HookCall

DENIED = "Denied in Signalbox."


def hook_answer(call: HookCall, outcome: HookOutcome) -> dict[str, Any]:
    """Return the JSON with which the hook answers `call`."""
    return _ANSWERS[call.agent](call, outcome)


def _claude_code(call: HookCall, outcome: HookOutcome) -> dict[str, Any]:
    if call.moment == "permission":
        return _permission_request(outcome, edits=True)
    if call.moment != "tool_start":
        return {}
    decision = "ask" if outcome.decision == "none" and outcome.asked else outcome.decision
    if decision == "none":
        return {}
    said = {"permissionDecision": decision, "permissionDecisionReason": outcome.reason or None}
    specific = _specific(call, said | {"updatedInput": outcome.arguments if decision == "allow" else None})
    return {"continue": False, "stopReason": outcome.reason, **specific} if outcome.stop else specific


def _codex(call: HookCall, outcome: HookOutcome) -> dict[str, Any]:
    # Codex refuses an answer with a field that it does not support: the whole hook then counts as failed.
    if call.moment == "permission":
        return _permission_request(outcome, edits=False)
    if call.moment != "tool_start":
        return {}
    if outcome.decision == "deny":
        reason = outcome.reason or DENIED
        return _specific(call, {"permissionDecision": "deny", "permissionDecisionReason": reason})
    if outcome.decision == "allow" and outcome.arguments is not None:
        return _specific(call, {"permissionDecision": "allow", "updatedInput": outcome.arguments})
    return {}


def _gemini_cli(call: HookCall, outcome: HookOutcome) -> dict[str, Any]:
    if call.moment != "tool_start" or outcome.decision == "none":
        return {}
    if outcome.decision == "deny":
        stop = {"continue": False, "stopReason": outcome.reason} if outcome.stop else {}
        return {**stop, "decision": "deny", "reason": outcome.reason or DENIED}
    changed = {"hookSpecificOutput": {"tool_input": outcome.arguments}} if outcome.arguments is not None else {}
    return {"decision": "allow", **changed}


def _permission_request(outcome: HookOutcome, *, edits: bool) -> dict[str, Any]:
    if outcome.decision == "none":
        return {}
    decision: dict[str, Any] = {"behavior": outcome.decision}
    if outcome.decision == "deny":
        decision |= {"message": outcome.reason or DENIED} | ({"interrupt": True} if edits and outcome.stop else {})
    elif edits and outcome.arguments is not None:
        decision["updatedInput"] = outcome.arguments
    return {"hookSpecificOutput": {"hookEventName": "PermissionRequest", "decision": decision}}


def _specific(call: HookCall, fields: dict[str, Any]) -> dict[str, Any]:
    given = {name: value for name, value in fields.items() if value is not None}
    return {"hookSpecificOutput": {"hookEventName": call.event, **given}}


_ANSWERS = {CLAUDE_CODE.name: _claude_code, CODEX.name: _codex, GEMINI_CLI.name: _gemini_cli}

"""What each agent's hooks become: the events of a session's task, and the answers in the agent's own words."""

from __future__ import annotations

import json
from typing import Any

import pytest

from signalbox.store import NewEvent
from signalbox.store.state import Task
from signalbox.webapp.coding_agents.agents import AGENTS, HookOutcome
from signalbox.webapp.coding_agents.hook_answers import hook_answer
from signalbox.webapp.coding_agents.hook_call import InvalidCall
from signalbox.webapp.coding_agents.session_events import session_events
from tests.support.agent_payloads import PAYLOADS, payload

RECORDED = sorted((path.parent.name, path.stem) for path in PAYLOADS.rglob("*.json"))


def events(agent: str, given: dict[str, Any], **state: Any) -> list[NewEvent]:
    call = AGENTS[agent].read(given)
    at = "2026-11-21T14:02:00Z"
    fields = {"spawn_seq": 1, "metadata": {"cwd": "/srv/app"}, **state}
    task = Task(task_id="t", created_at=at, updated_at=at, main_span_id="session", **fields)
    return session_events(call, task, key="k", tool_span=call.tool_use_id or "tool")


@pytest.mark.parametrize(("agent", "name"), RECORDED)
def test_no_field_of_a_recorded_payload_is_lost(agent: str, name: str) -> None:
    given = payload(agent, name, unheard_of={"x": [1]})
    kept = json.dumps([event.payload for event in events(agent, given, spawn_seq=0)])
    of_the_task = {"session_id", "transcript_path", "cwd", "hook_event_name", "agent_id", "tool_use_id"}
    for field, value in given.items():
        if field not in of_the_task and value not in ("", None):
            assert json.dumps(value)[1:-1] in kept, field


@pytest.mark.parametrize(
    ("agent", "name", "types"),
    [
        ("claude-code", "session_start", ["runner_spawn"]),
        ("claude-code", "user_prompt_submit", ["title_changed", "user_message", "status"]),
        ("claude-code", "pre_tool_use", ["tool_status"]),
        ("claude-code", "post_tool_use", ["tool_status", "tool_result"]),
        ("claude-code", "post_tool_use_failure", ["tool_status", "tool_result"]),
        ("claude-code", "permission_denied", ["tool_status", "tool_result"]),
        ("claude-code", "subagent_start", ["span_start"]),
        ("claude-code", "subagent_stop", ["assistant_message", "span_end"]),
        ("claude-code", "notification", ["notification"]),
        ("claude-code", "stop", ["assistant_message", "status"]),
        ("claude-code", "stop_failure", ["log"]),
        ("claude-code", "pre_compact", ["hook_pre_compact"]),
        ("claude-code", "session_end", ["runner_exit"]),
        ("codex", "stop", ["assistant_message", "status"]),
        ("codex", "pre_compact", ["hook_pre_compact"]),
        ("gemini-cli", "before_agent", ["title_changed", "user_message", "status"]),
        ("gemini-cli", "after_agent", ["assistant_message", "status"]),
        ("gemini-cli", "pre_compress", ["hook_pre_compress"]),
    ],
)
def test_an_event_of_an_agent_becomes_events_of_the_log(agent: str, name: str, types: list[str]) -> None:
    state = {"spawn_seq": 0} if name == "session_start" else {}
    assert [event.event_type for event in events(agent, payload(agent, name), **state)] == types


def test_a_turn_of_an_agent_that_reports_no_end_of_a_session_ends_the_task() -> None:
    assert events("codex", payload("codex", "stop"))[-1].payload["status"] == "done"
    assert "status" not in events("claude-code", payload("claude-code", "stop"))[-1].payload


def test_the_tool_of_a_subagent_is_nested_in_it() -> None:
    (start,) = events("claude-code", payload("claude-code", "subagent_tool"))
    assert (start.span_id, start.parent_span_id) == ("toolu_04JKL", "subagent-a4f1c2")


def test_a_prompt_after_the_end_starts_the_session_again() -> None:
    found = events("codex", payload("codex", "user_prompt_submit"), status="done", title="Before")
    assert [event.event_type for event in found] == ["status", "user_message", "status"]
    assert found[0].payload["status"] == "running"


@pytest.mark.parametrize(
    ("given", "field"),
    [({}, "hook_event_name"), ({"hook_event_name": "Stop"}, "session_id"), ({"hook_event_name": 7}, "hook_event_name")],
)
def test_a_call_without_event_or_session_is_refused(given: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidCall) as refused:
        AGENTS["claude-code"].read(given)
    assert refused.value.field == field


def test_any_session_id_becomes_a_task_id() -> None:
    ids = {AGENTS["codex"].read({"hook_event_name": "Stop", "session_id": one}).task_id for one in ("a/b", "a b", "ü")}
    assert len(ids) == 3
    assert all(one.startswith("codex-") for one in ids)


ALLOW = HookOutcome(decision="allow", reason="fine")
EDITED = HookOutcome(decision="allow", reason="fine", arguments={"command": "ls"})
DENY = HookOutcome(decision="deny", reason="no")
NOBODY = HookOutcome(asked=True, reason="nobody")


@pytest.mark.parametrize(
    ("agent", "name", "outcome", "answer"),
    [
        ("claude-code", "pre_tool_use", ALLOW, {"permissionDecision": "allow", "permissionDecisionReason": "fine"}),
        (
            "claude-code",
            "pre_tool_use",
            EDITED,
            {"permissionDecision": "allow", "permissionDecisionReason": "fine", "updatedInput": {"command": "ls"}},
        ),
        ("claude-code", "pre_tool_use", DENY, {"permissionDecision": "deny", "permissionDecisionReason": "no"}),
        ("claude-code", "pre_tool_use", NOBODY, {"permissionDecision": "ask", "permissionDecisionReason": "nobody"}),
        ("claude-code", "pre_tool_use", HookOutcome(), {}),
        ("claude-code", "permission_request", ALLOW, {"decision": {"behavior": "allow"}}),
        (
            "claude-code",
            "permission_request",
            EDITED,
            {"decision": {"behavior": "allow", "updatedInput": {"command": "ls"}}},
        ),
        ("claude-code", "permission_request", DENY, {"decision": {"behavior": "deny", "message": "no"}}),
        ("claude-code", "permission_request", NOBODY, {}),
        ("claude-code", "stop", DENY, {}),
        # Codex refuses `allow` without changed arguments before a tool call, and changed arguments of a request.
        ("codex", "pre_tool_use", ALLOW, {}),
        ("codex", "pre_tool_use", EDITED, {"permissionDecision": "allow", "updatedInput": {"command": "ls"}}),
        ("codex", "pre_tool_use", DENY, {"permissionDecision": "deny", "permissionDecisionReason": "no"}),
        ("codex", "pre_tool_use", NOBODY, {}),
        ("codex", "permission_request", EDITED, {"decision": {"behavior": "allow"}}),
        ("codex", "permission_request", DENY, {"decision": {"behavior": "deny", "message": "no"}}),
    ],
)
def test_an_outcome_is_answered_as_the_agent_expects(
    agent: str, name: str, outcome: HookOutcome, answer: dict[str, Any]
) -> None:
    given = payload(agent, name)
    expected = {"hookSpecificOutput": {"hookEventName": given["hook_event_name"], **answer}} if answer else {}
    assert hook_answer(AGENTS[agent].read(given), outcome) == expected


def test_gemini_cli_reads_decisions_at_the_top() -> None:
    call = AGENTS["gemini-cli"].read(payload("gemini-cli", "before_tool"))
    assert hook_answer(call, DENY) == {"decision": "deny", "reason": "no"}
    assert hook_answer(call, ALLOW) == {"decision": "allow"}
    changed = {"decision": "allow", "hookSpecificOutput": {"tool_input": {"command": "ls"}}}
    assert hook_answer(call, EDITED) == changed
    assert hook_answer(call, NOBODY) == {}

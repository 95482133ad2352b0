"""`POST /api/hooks/{agent}`: sessions as tasks, rules, and questions that people answer."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from signalbox.store import UnknownTask
from signalbox.store.state import Permission, Span
from tests.support.agent_payloads import payload
from tests.support.log import audits_of, log_of, open_permissions, task_of
from tests.support.people import project, token, wait_until_guarded
from tests.support.server import Server
from tests.support.waiting import wait_until

RULES = {
    "rules": [
        {"decision": "deny", "tool": "Bash", "command": "rm -rf *", "reason": "Nothing is deleted here."},
        {"decision": "ask", "tool": "Bash", "command": "git push *", "reason": "Pushing is public."},
        {"decision": "allow", "tool": "Read", "path": "src/**"},
    ]
}


@pytest.fixture(scope="module")
def hooks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with rules."""
    running = Server(tmp_path_factory.mktemp("hooks"), hook_rules=json.dumps(RULES)).start()
    yield running
    running.close()
    assert "Traceback" not in running.log, running.log


def post(server: Server, given: dict[str, Any], agent: str = "claude-code", **options: Any) -> Any:
    response = httpx.post(f"{server.url}/api/hooks/{agent}", json=given, timeout=60, **options)
    assert response.status_code == 200, response.text
    return response.json()


class Call(threading.Thread):
    """A hook that waits for its answer in the background."""

    def __init__(self, server: Server, given: dict[str, Any], agent: str = "claude-code", **options: Any) -> None:
        super().__init__(daemon=True)
        self.answer: Any = None
        self._given = server, given, agent, options
        self.start()

    def run(self) -> None:
        server, given, agent, options = self._given
        self.answer = post(server, given, agent, **options)

    def result(self) -> Any:
        self.join(60)
        assert not self.is_alive(), "the hook got no answer"
        return self.answer


def spans_of(server: Server, task: str) -> dict[str, Span]:
    """Return the spans of a task by their ids."""

    async def read() -> list[Span]:
        async with server.store.read() as view:
            return await view.spans(task)

    return {span.span_id: span for span in asyncio.run(read())}


def tools_of(server: Server, task: str) -> list[Span]:
    return [span for span in spans_of(server, task).values() if span.kind == "tool"]


def permission_of(server: Server, task: str, request_id: str) -> Permission:
    async def read() -> Permission | None:
        async with server.store.read() as view:
            return await view.permission(task, request_id)

    found = asyncio.run(read())
    assert found is not None
    return found


def open_requests(server: Server, task: str) -> list[Permission]:
    with suppress(UnknownTask):
        return open_permissions(server.store, task)
    return []


def asked(server: Server, task: str) -> Permission:
    """Wait until the task has an open request, and return it."""
    return wait_until(lambda: next(iter(open_requests(server, task)), None))


def answer(server: Server, task: str, request: Permission, **body: Any) -> None:
    url = f"{server.url}/api/tasks/{task}/permissions/{request.request_id}"
    assert httpx.post(url, json=body).status_code == 201


def test_a_session_becomes_a_task_with_its_prompt_tools_and_subagents(hooks: Server) -> None:
    task = "claude-code-whole"
    for name in (
        *("session_start", "user_prompt_submit", "pre_tool_use", "post_tool_use", "post_tool_use_failure"),
        *("subagent_start", "subagent_tool", "subagent_stop", "notification", "pre_compact", "stop", "session_end"),
    ):
        assert post(hooks, payload("claude-code", name, "whole"), params={"branch": "fix/queue"}) == {}
    found = task_of(hooks.store, task)
    assert (found.title, found.kind, found.status) == (
        "Fix the flaky test in tests/test_queue.py",
        "claude-code",
        "done",
    )
    assert found.tags == {"branch": "fix/queue", "model": "claude-sonnet-4-5"}
    assert found.metadata["cwd"] == "/srv/app"
    spans = spans_of(hooks, task)
    assert (spans["toolu_01ABC"].name, spans["toolu_01ABC"].state) == ("Bash", "done")
    assert (spans["toolu_02DEF"].state, spans["toolu_02DEF"].error) == ("failed", "File does not exist.")
    assert spans["toolu_04JKL"].parent_span_id == "subagent-a4f1c2"
    assert spans["subagent-a4f1c2"].parent_span_id == "session"
    page = httpx.get(f"{hooks.url}/tasks/{task}/conversation").text
    for text in ("Fix the flaky test", "The test passes now.", "The queue is in app/queue.py.", "1 passed in 0.12s"):
        assert text in page


def test_a_call_that_arrives_twice_counts_once(hooks: Server) -> None:
    for name in ("session_start", "user_prompt_submit", "pre_tool_use", "post_tool_use", "notification", "stop"):
        for _ in range(2):
            post(hooks, payload("claude-code", name, "twice"), params={"at": 1_795_000_000})
    types = [event.event_type for event in log_of(hooks.store, "claude-code-twice")]
    once = {"runner_spawn", "title_changed", "user_message", "tool_status", "tool_result", "notification"}
    assert {name: types.count(name) for name in once} == dict.fromkeys(once, 1)


def test_the_same_notification_later_counts_again(hooks: Server) -> None:
    for at in (1_795_000_000, 1_795_000_060):
        post(hooks, payload("claude-code", "notification", "later"), params={"at": at})
    events = [event for event in log_of(hooks.store, "claude-code-later") if event.event_type == "notification"]
    assert [event.happened_at for event in events] == ["2026-11-18T11:06:40.000000Z", "2026-11-18T11:07:40.000000Z"]


def test_a_session_that_is_resumed_is_open_again(hooks: Server) -> None:
    post(hooks, payload("claude-code", "session_start", "resumed"))
    post(hooks, payload("claude-code", "session_end", "resumed"))
    assert task_of(hooks.store, "claude-code-resumed").status == "done"
    post(hooks, payload("claude-code", "session_start", "resumed", source="resume"))
    assert task_of(hooks.store, "claude-code-resumed").status == "running"


def test_a_question_is_answered_with_changed_arguments(hooks: Server) -> None:
    given = payload("claude-code", "pre_tool_use", "ask", tool_input={"command": "git push origin main", "timeout": 60})
    call = Call(hooks, given)
    request = asked(hooks, "claude-code-ask")
    assert (request.tool_name, request.reason, request.span_id) == ("Bash", "Pushing is public.", "toolu_01ABC")
    assert task_of(hooks.store, "claude-code-ask").status == "waiting"
    changed = {"command": "git push origin fix", "timeout": 60}
    answer(hooks, "claude-code-ask", request, approved=True, value=changed, reason="not main")
    assert call.result() == {
        "hookSpecificOutput": {
            "hookEventName": "PreToolUse",
            "permissionDecision": "allow",
            "permissionDecisionReason": "Approved by local user in Signalbox: not main",
            "updatedInput": changed,
        }
    }
    # The end of the call has the changed arguments, and the same span.
    post(hooks, payload("claude-code", "post_tool_use", "ask", tool_input=changed))
    assert [one.state for one in tools_of(hooks, "claude-code-ask")] == ["done"]


def test_a_permission_request_belongs_to_the_tool_call_that_it_is_about(hooks: Server) -> None:
    arguments = {"command": "make deploy", "description": "Deploy"}
    post(hooks, payload("claude-code", "pre_tool_use", "native", tool_input=arguments))
    call = Call(hooks, payload("claude-code", "permission_request", "native", tool_input=arguments))
    request = asked(hooks, "claude-code-native")
    assert (request.span_id, request.reason) == ("toolu_01ABC", "Deploy")
    answer(hooks, "claude-code-native", request, approved=False, reason="not on Friday")
    denied = {"behavior": "deny", "message": "Denied by local user in Signalbox: not on Friday"}
    assert call.result()["hookSpecificOutput"]["decision"] == denied
    (span,) = tools_of(hooks, "claude-code-native")
    assert (span.state, span.error) == ("failed", "Denied by local user in Signalbox: not on Friday")


def test_a_question_with_choices_is_a_form_and_its_answers_go_back(hooks: Server) -> None:
    options = [{"label": "SQLite", "description": "one file"}, {"label": "PostgreSQL", "description": "a server"}]
    questions = [
        {"question": "Which store?", "header": "Store", "options": options, "multiSelect": False},
        {
            "question": "Which tests?",
            "header": "Tests",
            "options": [{"label": "unit"}, {"label": "e2e"}],
            "multiSelect": True,
        },
    ]
    given = payload(
        "claude-code", "permission_request", "form", tool_name="AskUserQuestion", tool_input={"questions": questions}
    )
    call = Call(hooks, given)
    request = asked(hooks, "claude-code-form")
    page = httpx.get(f"{hooks.url}/permissions?task=claude-code-form").text
    for text in ("Which store?", "SQLite: one file; PostgreSQL: a server", "Which tests?", "e2e"):
        assert text in page
    value = {"question 1": "PostgreSQL", "question 2": {"unit": True, "e2e": True}}
    answer(hooks, "claude-code-form", request, approved=True, value=value)
    updated = call.result()["hookSpecificOutput"]["decision"]["updatedInput"]
    assert updated["answers"] == {"Which store?": "PostgreSQL", "Which tests?": "unit, e2e"}
    assert updated["questions"] == questions


def test_a_cancelled_session_stops_at_its_next_tool_call_and_a_prompt_starts_it_again(hooks: Server) -> None:
    post(hooks, payload("claude-code", "user_prompt_submit", "stop"))
    assert httpx.post(f"{hooks.url}/api/tasks/claude-code-stop/cancel", json={}).status_code == 201
    given = post(hooks, payload("claude-code", "pre_tool_use", "stop"))
    assert (given["continue"], given["hookSpecificOutput"]["permissionDecision"]) == (False, "deny")
    assert task_of(hooks.store, "claude-code-stop").status == "cancelled"
    post(hooks, payload("claude-code", "user_prompt_submit", "stop", prompt="Go on"))
    assert task_of(hooks.store, "claude-code-stop").status == "running"
    assert post(hooks, payload("claude-code", "pre_tool_use", "stop", tool_use_id="toolu_8")) == {}


def test_cancelling_a_session_ends_its_question(hooks: Server) -> None:
    call = Call(hooks, payload("claude-code", "permission_request", "cancel"))
    asked(hooks, "claude-code-cancel")
    assert httpx.post(f"{hooks.url}/api/tasks/claude-code-cancel/cancel", json={}).status_code == 201
    decision = call.result()["hookSpecificOutput"]["decision"]
    assert (decision["behavior"], decision["interrupt"]) == ("deny", True)
    assert task_of(hooks.store, "claude-code-cancel").status == "cancelled"


def test_an_always_allowed_tool_is_not_asked_about_again(hooks: Server) -> None:
    call = Call(hooks, payload("codex", "permission_request", "always"), "codex")
    request = asked(hooks, "codex-always")
    assert not request.editable
    answer(hooks, "codex-always", request, approved=True, always=True)
    assert call.result()["hookSpecificOutput"]["decision"] == {"behavior": "allow"}
    again = payload("codex", "permission_request", "always", tool_input={"command": "git push origin fix"})
    assert post(hooks, again, "codex")["hookSpecificOutput"]["decision"] == {"behavior": "allow"}


def test_a_question_that_nobody_answers_expires_and_the_agent_asks_itself(hooks: Server) -> None:
    given = payload("claude-code", "permission_request", "late", tool_input={"command": "make"})
    assert post(hooks, given, params={"wait": 0.3}) == {}
    (request,) = [event for event in log_of(hooks.store, "claude-code-late") if "request" in event.event_type]
    state = permission_of(hooks, "claude-code-late", request.payload["request_id"])
    assert (state.state, state.cause) == ("expired", "expired")
    pushed = payload("claude-code", "pre_tool_use", "late", tool_input={"command": "git push"}, tool_use_id="toolu_9")
    specific = post(hooks, pushed, params={"wait": 0.2})["hookSpecificOutput"]
    assert specific["permissionDecision"] == "ask"


def test_a_question_that_was_answered_in_the_terminal_is_closed(hooks: Server) -> None:
    arguments = {"command": "make"}
    post(hooks, payload("claude-code", "pre_tool_use", "terminal", tool_input=arguments))
    call = Call(hooks, payload("claude-code", "permission_request", "terminal", tool_input=arguments))
    request = asked(hooks, "claude-code-terminal")
    post(hooks, payload("claude-code", "post_tool_use", "terminal", tool_input=arguments))
    assert call.result() == {}
    closed = permission_of(hooks, "claude-code-terminal", request.request_id)
    assert (closed.state, closed.answer_reason) == ("cleared", "answered in the agent's own prompt")


def test_a_question_is_withdrawn_when_the_agent_hangs_up(hooks: Server) -> None:
    given = payload("claude-code", "permission_request", "gone", tool_input={"command": "make"})
    with httpx.stream("POST", f"{hooks.url}/api/hooks/claude-code", json=given, timeout=60) as response:
        assert response.status_code == 200
        request = asked(hooks, "claude-code-gone")
    wait_until(lambda: not open_requests(hooks, "claude-code-gone"))
    closed = permission_of(hooks, "claude-code-gone", request.request_id)
    assert (closed.state, closed.answer_reason) == ("cleared", "the agent no longer waits for an answer here")


def test_a_rule_denies_with_its_reason_and_an_audit(hooks: Server) -> None:
    given = payload("claude-code", "pre_tool_use", "denied", tool_input={"command": "make && rm -rf build"})
    specific = post(hooks, given)["hookSpecificOutput"]
    assert (specific["permissionDecision"], specific["permissionDecisionReason"]) == (
        "deny",
        "Nothing is deleted here.",
    )
    (span,) = tools_of(hooks, "claude-code-denied")
    assert (span.state, span.error) == ("failed", "Nothing is deleted here.")
    (audit,) = audits_of(hooks.store, "claude-code-denied")
    assert (audit["actor"], audit["action"]) == ("hook rules", "rule_applied")
    assert (audit["detail"]["decision"], audit["detail"]["rule"]) == ("deny", "rule 1 (deny Bash: rm -rf *)")


def test_a_path_outside_through_a_link_is_not_allowed(hooks: Server, tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "link").symlink_to("/etc")
    for path, decided in (("src/a.py", "allow"), ("src/link/passwd", None), ("src/../x", None)):
        given = payload(
            "claude-code", "pre_tool_use", "link", tool_name="Read", tool_input={"file_path": path}, cwd=str(tmp_path)
        )
        url = f"{hooks.url}/api/hooks/claude-code/test"
        assert httpx.post(url, json=given).json()["decision"] == decided


def test_a_codex_session_waits_as_done_between_its_turns(hooks: Server) -> None:
    for name in ("session_start", "user_prompt_submit", "pre_tool_use", "post_tool_use", "stop"):
        post(hooks, payload("codex", name, "turns"), "codex")
    task = task_of(hooks.store, "codex-turns")
    assert (task.status, task.message, task.tags["model"]) == ("done", "Waiting for the next prompt", "gpt-5-codex")
    post(hooks, payload("codex", "user_prompt_submit", "turns", prompt="And now?"), "codex")
    assert task_of(hooks.store, "codex-turns").status == "running"


def test_a_gemini_session_joins_the_start_and_the_end_of_a_tool_call_without_an_id(hooks: Server) -> None:
    for name in ("session_start", "before_agent", "before_tool", "after_tool", "after_agent", "session_end"):
        assert post(hooks, payload("gemini-cli", name, "joined"), "gemini-cli") == {}
    (span,) = tools_of(hooks, "gemini-cli-joined")
    assert (span.name, span.state) == ("run_shell_command", "done")
    types = [event.event_type for event in log_of(hooks.store, "gemini-cli-joined")]
    assert types.count("tool_status") == 1


def test_long_and_deep_arguments_are_kept_as_far_as_they_fit(hooks: Server) -> None:
    deep: Any = "bottom"
    for _ in range(120):
        deep = [deep]
    given = payload("claude-code", "pre_tool_use", "big", tool_input={"content": "x" * 1_000_000, "deep": deep})
    assert post(hooks, given) == {}
    (start,) = [event for event in log_of(hooks.store, "claude-code-big") if event.event_type == "tool_status"]
    assert start.payload["arguments"]["content"].startswith("xxx")


@pytest.mark.parametrize(
    ("agent", "body", "status", "message"),
    [
        (
            "cursor",
            {"hook_event_name": "Stop", "session_id": "s"},
            404,
            "known ones are claude-code, codex, gemini-cli",
        ),
        ("codex", {"session_id": "s"}, 400, "hook_event_name must be a text"),
        ("codex", {"hook_event_name": "Stop", "session_id": 7}, 400, "session_id must be a text"),
        ("codex", [], 400, "object"),
    ],
)
def test_a_call_that_cannot_be_read_is_refused(hooks: Server, agent: str, body: Any, status: int, message: str) -> None:
    response = httpx.post(f"{hooks.url}/api/hooks/{agent}", json=body)
    assert response.status_code == status
    assert message in response.json()["error"]["message"]


def test_a_token_reports_into_its_own_project_only(hooks: Server) -> None:
    given = payload("claude-code", "session_start", "owned")
    for name in ("ours", "theirs"):
        project(hooks.store, name)
    ours = token(hooks.store, "ours", project_id="ours", scopes=("emit",))
    theirs = token(hooks.store, "theirs", project_id="theirs", scopes=("emit",))
    wait_until_guarded(hooks)
    url = f"{hooks.url}/api/hooks/claude-code"
    assert httpx.post(url, json=given).status_code == 401
    assert httpx.post(url, json=given, headers=ours).status_code == 200
    assert task_of(hooks.store, "claude-code-owned").project_id == "ours"
    assert httpx.post(url, json=given, headers=theirs).status_code == 403
    assert httpx.post(url, json=given, headers=theirs, params={"project": "ours"}).status_code == 403

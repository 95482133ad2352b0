"""Test the Claude Agent SDK over its control protocol: each session is a task, and people answer its requests."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from claude_agent_sdk import (
    ClaudeAgentOptions,
    HookMatcher,
    PermissionResultAllow,
    ProcessError,
    ResultMessage,
    ToolPermissionContext,
)
from claude_agent_sdk import query as original_query

from signalbox.integrations.claude_agent import ClaudeReporter, ClaudeSDKClient, query
from tests.libraries.agents.conftest import Console, Person
from tests.libraries.agents.fake_claude import FakeClaude

PROMPT = "Fix the failing test"


def run(claude: FakeClaude, options: ClaudeAgentOptions | None = None, **reporting: Any) -> list[Any]:
    """Send the prompt, and return the messages."""

    async def receive() -> list[Any]:
        async with asyncio.timeout(20):
            sent = query(prompt=PROMPT, options=options, transport=claude, **reporting)
            return [message async for message in sent]

    return asyncio.run(receive())


async def work(claude: FakeClaude, prompt: str) -> None:
    await claude.say("I look at the test.", {"type": "thinking", "thinking": "Which file?", "signature": "s"})
    await claude.use("Read", {"file_path": "test_a.py"}, "assert 1 == 2")
    await claude.use("Bash", {"command": "pytest"}, error="exit code 1")
    await claude.say("The test is wrong.", stop_reason="end_turn")
    await claude.finish("The test is wrong.")


def test_a_session_is_a_task_with_its_prompt_answers_tools_and_cost(console: Console) -> None:
    messages = run(FakeClaude(work))
    assert isinstance(messages[-1], ResultMessage)
    task = console.task(status="done")
    assert (task.title, task.kind) == (PROMPT, "claude-agent")
    tokens = task.usage.tokens
    assert (tokens.input, tokens.cache_read, tokens.output) == (400, 360, 80)
    assert task.usage.cost == 0.0125
    spans = console.spans(task)
    assert (spans["Read"].state, spans["Bash"].state) == ("done", "failed")
    [read, bash] = console.events(task, "tool_result")
    assert (read.payload["result"], bash.payload["message"]) == ("assert 1 == 2", "exit code 1")
    page = console.page(f"/tasks/{task.task_id}/conversation")
    for text in ("I look at the test.", "Which file?", "test_a.py", "assert 1 == 2", "exit code 1", "claude-test"):
        assert text in page
    assert page.count(">The test is wrong.<") == 1


@pytest.mark.parametrize(
    ("answer", "decision"),
    [
        ({"approved": True}, {"behavior": "allow", "updatedInput": {"command": "rm -r build", "timeout": 5}}),
        (
            {"approved": True, "value": {"command": "rm -r build/tmp"}},
            {"behavior": "allow", "updatedInput": {"command": "rm -r build/tmp", "timeout": 5}},
        ),
        ({"approved": False, "reason": "keep it"}, {"behavior": "deny", "message": "keep it"}),
    ],
)
def test_a_person_answers_a_request_for_permission(
    console: Console, person: Person, answer: dict[str, Any], decision: dict[str, Any]
) -> None:
    async def delete(claude: FakeClaude, prompt: str) -> None:
        await claude.use("Bash", {"command": "rm -r build", "timeout": 5}, "gone", asks=True)
        await claude.finish()

    person.will_answer(answer)
    claude = FakeClaude(delete)
    run(claude, timeout=20)
    assert claude.decisions == [decision]
    [request] = person.done()
    assert (request["tool_name"], request["editable"]) == ("Bash", True)
    task = console.task(status="done")
    tool = console.spans(task)["Bash"]
    assert request["span_id"] == tool.span_id
    assert tool.state == ("done" if answer["approved"] else "failed")
    if "value" in answer:
        [result] = console.events(task, "tool_result")
        assert result.payload["arguments"]["command"] == "rm -r build/tmp"


def test_a_program_on_another_machine_gets_the_answer_from_the_server(
    console: Console, person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def delete(claude: FakeClaude, prompt: str) -> None:
        for command in ("rm -r build", "rm -r dist"):
            await claude.use("Bash", {"command": command}, "gone", asks=True)
        await claude.finish()

    monkeypatch.delenv("SIGNALBOX_STORE_URL")
    monkeypatch.setenv("SIGNALBOX_SERVER", console.url)
    person.will_answer({"approved": True, "value": {"command": "rm build"}}, {"approved": False, "reason": "no"})
    claude = FakeClaude(delete)
    run(claude, timeout=20)
    allowed = {"behavior": "allow", "updatedInput": {"command": "rm build"}}
    assert claude.decisions == [allowed, {"behavior": "deny", "message": "no"}]
    assert console.task(status="done").title == PROMPT


def test_always_allow_answers_the_later_requests_of_a_tool(console: Console, person: Person) -> None:
    async def edit_twice(claude: FakeClaude, prompt: str) -> None:
        for path in ("a.txt", "b.txt"):
            await claude.use("Write", {"file_path": path}, "written", asks=True)
        await claude.finish()

    person.will_answer({"approved": True, "always": True})
    claude = FakeClaude(edit_twice)
    run(claude, timeout=20)
    assert [decision["updatedInput"] for decision in claude.decisions] == [
        {"file_path": "a.txt"},
        {"file_path": "b.txt"},
    ]
    responses = console.events(console.task(status="done"), "permission_response")
    assert "always allowed" in responses[1].payload["by"]


async def own_answer(name: str, given: dict[str, Any], context: ToolPermissionContext) -> PermissionResultAllow:
    return PermissionResultAllow(updated_input={**given, "checked": True})


@pytest.mark.parametrize(
    ("fallback", "decision"),
    [
        ("deny", {"behavior": "deny", "message": "Nobody answered the request for permission."}),
        ("allow", {"behavior": "allow", "updatedInput": {"command": "ls"}}),
        (own_answer, {"behavior": "allow", "updatedInput": {"command": "ls", "checked": True}}),
    ],
)
@pytest.mark.parametrize("away", [False, True])
def test_the_fallback_decides_when_nobody_answers(
    console: Console, monkeypatch: pytest.MonkeyPatch, fallback: Any, decision: dict[str, Any], away: bool
) -> None:
    async def look(claude: FakeClaude, prompt: str) -> None:
        await claude.use("Bash", {"command": "ls"}, "a b", asks=True)
        await claude.finish()

    if away:
        monkeypatch.setenv("SIGNALBOX_SERVER", "http://127.0.0.1:9")
    claude = FakeClaude(look)
    run(claude, timeout=20 if away else 0.2, fallback=fallback)
    assert claude.decisions == [decision]
    if not away:
        [cleared] = console.events(console.task(status="done"), "permission_cleared")
        assert cleared.payload["cause"] == "expired"


def test_a_request_is_withdrawn_when_claude_does_not_need_it_any_more(console: Console) -> None:
    async def change_its_mind(claude: FakeClaude, prompt: str) -> None:
        asking = asyncio.create_task(claude.may_use("Bash", "toolu_x", {"command": "ls"}))
        await asyncio.to_thread(console.task, status="waiting")
        [request_id] = claude._answers
        await claude._sent.put({"type": "control_cancel_request", "request_id": request_id})
        await asyncio.to_thread(console.task, status="running")
        asking.cancel()
        await claude.finish()

    run(FakeClaude(change_its_mind), timeout=20)
    [cleared] = console.events(console.task(status="done"), "permission_cleared")
    assert cleared.payload["cause"] == "withdrawn"


def test_a_question_of_claude_is_a_form_with_its_options(console: Console, person: Person) -> None:
    questions = [
        {"question": "Which database?", "header": "DB", "options": [{"label": "SQLite"}, {"label": "PostgreSQL"}]},
        {"question": "Which extras?", "multiSelect": True, "options": [{"label": "redis"}, {"label": "mcp"}]},
    ]

    async def wonder(claude: FakeClaude, prompt: str) -> None:
        await claude.use("AskUserQuestion", {"questions": questions}, "answered", asks=True)
        await claude.finish()

    person.will_answer({"approved": True, "value": {"answer_1": "PostgreSQL", "answer_2": ["redis", "mcp"]}})
    claude = FakeClaude(wonder)
    run(claude, timeout=20)
    answers = {"Which database?": "PostgreSQL", "Which extras?": "redis, mcp"}
    assert claude.decisions[0]["updatedInput"] == {"questions": questions, "answers": answers}


def test_the_tools_and_answers_of_a_subagent_are_below_the_call_that_started_it(console: Console) -> None:
    async def delegate(claude: FakeClaude, prompt: str) -> None:
        task_id = "toolu_task"
        given = {"subagent_type": "reviewer", "description": "Review", "prompt": "Look for mistakes"}
        await claude.say({"type": "tool_use", "id": task_id, "name": "Task", "input": given})
        await claude.hook("PreToolUse", tool_name="Task", tool_use_id=task_id, tool_input=given)
        await claude.hook("SubagentStart", agent_id="a1", agent_type="reviewer")
        said = {"role": "user", "content": [{"type": "text", "text": "Look for mistakes"}]}
        await claude.send("user", message=said, parent_tool_use_id=task_id)
        await claude.use("Grep", {"pattern": "TODO"}, "3 matches", parent=task_id, agent="a1")
        await claude.say("I found three.", parent=task_id)
        await claude.hook("SubagentStop", agent_id="a1", agent_type="reviewer", last_assistant_message="I found three.")
        await claude.hook("PostToolUse", tool_name="Task", tool_use_id=task_id, tool_input=given, tool_response="3")
        await claude.give(task_id, "I found three.")
        await claude.say("There are three mistakes.")
        await claude.finish()

    run(FakeClaude(delegate))
    task = console.task(status="done")
    spans = console.spans(task)
    assert spans["Grep"].parent_span_id == spans["Task"].span_id
    calls = [event for event in console.events(task, "work_item_start") if event.payload["work_type"] == "llm"]
    assert [event.parent_span_id == spans["Task"].span_id for event in calls] == [False, True, True, False]
    assert {span.state for span in spans.values()} == {"done"}
    page = console.page(f"/tasks/{task.task_id}/conversation")
    for text in ("Look for mistakes", "3 matches", "I found three.", "There are three mistakes."):
        assert text in page


def test_a_subagent_without_a_known_call_is_a_step(console: Console) -> None:
    async def delegate(claude: FakeClaude, prompt: str) -> None:
        await claude.hook("SubagentStart", agent_id="a1", agent_type="reviewer")
        about = {"tool_name": "Grep", "tool_use_id": "toolu_g", "tool_input": {"pattern": "x"}, "agent_id": "a1"}
        await claude.hook("PreToolUse", **about)
        await claude.hook("PostToolUse", **about, tool_response="none")
        await claude.hook("SubagentStop", agent_id="a1", agent_type="reviewer", last_assistant_message="Nothing.")
        await claude.finish()

    run(FakeClaude(delegate))
    spans = console.spans(console.task(status="done"))
    assert (spans["reviewer"].work_type, spans["reviewer"].state) == ("agent", "done")
    assert spans["Grep"].parent_span_id == spans["reviewer"].span_id


def test_streamed_words_are_shown_while_they_come(console: Console) -> None:
    async def stream(claude: FakeClaude, prompt: str) -> None:
        began = {"id": "msg_s", "model": "claude-test", "usage": {"input_tokens": 100, "output_tokens": 1}}
        events: list[dict[str, Any]] = [{"type": "message_start", "message": began}]
        deltas = [{"type": "thinking_delta", "thinking": "Hm."}]
        deltas += [{"type": "text_delta", "text": word} for word in ("One ", "two ", "three.")]
        events += [{"type": "content_block_delta", "index": 0, "delta": delta} for delta in deltas]
        for event in events:
            await claude.send("stream_event", event=event)
        await claude.say("One two three.", message_id="msg_s", usage={"input_tokens": 100, "output_tokens": 1})
        ended = {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 9}}
        await claude.send("stream_event", event=ended)
        await claude.finish(usage=None, total_cost_usd=None)

    run(FakeClaude(stream), ClaudeAgentOptions(include_partial_messages=True))
    task = console.task(status="done")
    tokens = console.events(task, "token")
    assert "".join(event.payload["delta"] for event in tokens if "kind" not in event.payload) == "One two three."
    assert (task.usage.tokens.input, task.usage.tokens.output) == (100, 9)
    page = console.page(f"/tasks/{task.task_id}/conversation")
    assert page.count("One two three.") == 1


def test_a_client_is_one_task_for_all_its_prompts(console: Console) -> None:
    async def reply(claude: FakeClaude, prompt: str) -> None:
        await claude.say(f"You said: {prompt}.")
        await claude.finish(cost=0.01 if prompt == "first" else 0.03)

    async def talk() -> None:
        async with ClaudeSDKClient(transport=FakeClaude(reply)) as client:
            for prompt in ("first", "second"):
                await client.query(prompt)
                async for _ in client.receive_response():
                    pass
                await asyncio.to_thread(console.task, status="running")

    asyncio.run(talk())
    task = console.task(status="done")
    assert task.title == "first"
    assert len(console.tasks()) == 1
    # The SDK reports the cost of the session so far.
    assert task.usage.cost == 0.03
    page = console.page(f"/tasks/{task.task_id}/conversation")
    for text in ("first", "You said: first.", "second", "You said: second."):
        assert text in page


def test_hooks_and_permissions_of_the_program_stay(console: Console) -> None:
    seen: list[str] = []

    async def own_hook(given: Any, tool_use_id: str | None, context: Any) -> Any:
        seen.append(given["tool_name"])
        return {}

    async def look(claude: FakeClaude, prompt: str) -> None:
        await claude.use("Bash", {"command": "ls"}, "a b", asks=True)
        await claude.finish()

    options = ClaudeAgentOptions(can_use_tool=own_answer, hooks={"PreToolUse": [HookMatcher(hooks=[own_hook])]})
    claude = FakeClaude(look)
    run(claude, options)
    assert seen == ["Bash"]
    assert claude.decisions[0]["updatedInput"]["checked"] is True
    assert console.spans(console.task(status="done"))["Bash"].state == "done"
    assert list(options.hooks or {}) == ["PreToolUse"]


def test_a_reporter_gives_hooks_and_permissions_for_own_calls_of_the_sdk(console: Console, person: Person) -> None:
    async def delete(claude: FakeClaude, prompt: str) -> None:
        await claude.use("Bash", {"command": "rm x"}, "gone", asks=True)
        await claude.finish()

    async def receive() -> None:
        with ClaudeReporter(timeout=20, title="Tidy up") as reporter:
            options = reporter.options()
            async for _ in original_query(prompt=PROMPT, options=options, transport=FakeClaude(delete)):
                pass

    person.will_answer({"approved": True})
    asyncio.run(receive())
    task = console.task(status="done", title="Tidy up")
    assert console.spans(task)["Bash"].state == "done"


@pytest.mark.parametrize("how", ["result", "crash"])
def test_a_session_that_fails_fails_its_task(console: Console, how: str) -> None:
    async def fail(claude: FakeClaude, prompt: str) -> None:
        await claude.say("I try.")
        if how == "result":
            await claude.finish("", failed=True, subtype="error_max_turns", errors=["Reached 2 turns"], result=None)
        else:
            await claude.crash(ProcessError("the command failed", exit_code=1))

    if how == "result":
        run(FakeClaude(fail))
    else:
        with pytest.raises(ProcessError):
            run(FakeClaude(fail))
    [end] = console.events(console.task(status="failed"), "runner_exit")
    codes = {"result": ("error_max_turns", "Reached 2 turns"), "crash": ("ProcessError", "the command failed")}
    assert end.payload["error_code"] == codes[how][0]
    assert codes[how][1] in end.payload["message"]


def test_leaving_the_loop_ends_the_task_and_stops_claude(console: Console) -> None:
    async def talk(claude: FakeClaude, prompt: str) -> None:
        await claude.say("One.")
        await asyncio.sleep(60)

    claude = FakeClaude(talk)

    async def receive() -> None:
        sent = query(prompt=PROMPT, transport=claude)
        async for _ in sent:
            break
        await sent.aclose()
        # The SDK leaves the rest to the garbage collector and the event loop.
        await asyncio.wait_for(claude.closed.wait(), 5)

    asyncio.run(receive())
    assert console.task(status="cancelled").title == PROMPT

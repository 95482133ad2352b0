"""Test that the events of a run become a conversation that a person can read."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest

from signalbox.store import NewEvent, Store, open_store
from signalbox.store.history import History
from signalbox.store.traces import TraceSpan, events_of_span
from signalbox.webapp.views.conversation import builder, tool_calls
from signalbox.webapp.views.conversation.blocks import AgentBranch, Block, Speech, ToolBlock, Unread, flat
from signalbox.webapp.views.conversation.reading import Conversation, conversation_view, span_conversation
from signalbox.webapp.views.time_travel import reading_as_of
from tests.support.traces import NOON

SYSTEM = {"role": "system", "content": "Be careful."}
FIX = {"role": "user", "content": "Fix it."}
CALL = {"id": "c1", "type": "function", "function": {"name": "read", "arguments": '{"path": "a.py"}'}}
ASKS = {"role": "assistant", "content": "I read the file.", "tool_calls": [CALL]}
READ = {"role": "tool", "tool_call_id": "c1", "content": "def drain(): ..."}
DONE = {"role": "assistant", "content": "Done."}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = open_store(f"sqlite:///{tmp_path / 'log.db'}")
    yield opened
    opened.close()


def event(event_type: str, span_id: str | None = None, parent: str | None = None, **payload: Any) -> NewEvent:
    return NewEvent(event_type=event_type, span_id=span_id, parent_span_id=parent, payload=payload)


def llm(span_id: str, *messages: Any, answer: Any = None, parent: str = "run", **more: Any) -> list[NewEvent]:
    """Return the events of a model call."""
    return [
        event("work_item_start", span_id, parent, work_item_id=span_id, work_type="llm", model="small-1"),
        event("log", span_id, message="prompt", messages=list(messages)),
        event("work_item_complete", span_id, message=answer, **more)
        if answer
        else event("work_item_complete", span_id),
    ]


def append(store: Store, *events: NewEvent) -> None:
    store.append("run", [event("runner_spawn", "run", runner_pid=1), *events])


async def conversation(store: Store, **where: Any) -> Conversation:
    async with store.read() as view:
        return await conversation_view(view, "run", **where)


def lines_of(blocks: list[Block]) -> list[str]:
    """Return the blocks as lines."""
    lines = []
    for block in blocks:
        if isinstance(block, Speech):
            note = f" ({block.earlier} earlier)" if block.earlier else ""
            lines.append(f"{block.role}: {block.text}{note}{'…' if block.streaming else ''}")
        elif isinstance(block, ToolBlock):
            permission = f" {block.permission.state} by {block.permission.by}" if block.permission else ""
            lines.append(f"tool {block.tool} {block.arguments} → {block.result}{permission}")
        elif isinstance(block, AgentBranch):
            lines += [f"agent {block.span.name}:", *(f"  {line}" for line in lines_of(block.blocks))]
        else:
            lines.append(f"event #{block.seq}")
    return lines


async def test_messages_that_a_call_repeats_are_shown_once(store: Store) -> None:
    append(
        store,
        *llm("one", SYSTEM, FIX, answer=ASKS, usage={"input_tokens": 5, "output_tokens": 2}),
        *llm("two", SYSTEM, FIX, ASKS, READ, answer=DONE),
        *llm("three", SYSTEM, FIX, ASKS, READ, DONE, {"role": "user", "content": "Fix it."}, answer=DONE),
    )
    assert lines_of((await conversation(store)).blocks) == [
        "system: Be careful.",
        "user: Fix it.",
        "assistant: I read the file.",
        "tool read {'path': 'a.py'} → def drain(): ...",
        "assistant: Done. (4 earlier)",
        "user: Fix it.",
        "assistant: Done. (5 earlier)",
    ]


async def test_a_tool_call_is_one_block_with_its_result_duration_and_permission(store: Store) -> None:
    append(store, *llm("one", FIX, answer=ASKS))
    store.append(
        "run", event("permission_request", "run", request_id="r", tool_name="read", arguments={"path": "a.py"})
    )
    answer = event("permission_response", "run", request_id="r", approved=True, by="ann")
    store.append_audited("run", answer, action="permission_response", actor="ann")
    store.append(
        "run",
        [
            event("tool_status", "t", "run", tool_name="read", status="running", arguments={"path": "a.py"}),
            event("tool_result", "t", tool_name="read", status="done", result="def drain(): ..."),
            *llm("two", FIX, ASKS, READ, answer=DONE),
        ],
    )
    blocks = (await conversation(store)).blocks
    assert lines_of(blocks) == [
        "user: Fix it.",
        "assistant: I read the file.",
        "tool read {'path': 'a.py'} → def drain(): ... approved by ann",
        "assistant: Done. (3 earlier)",
    ]
    (tool,) = (block for block in blocks if isinstance(block, ToolBlock))
    assert (tool.state, tool.span_id, tool.took.partition(" ")[2]) == ("done", "t", "ms")


async def test_an_agent_within_the_agent_is_a_branch(store: Store) -> None:
    append(
        store,
        *llm("one", FIX, answer={"role": "assistant", "content": "I ask another agent."}),
        event("work_item_start", "sub", "run", work_item_id="tester", work_type="agent"),
        *llm("inner", {"role": "user", "content": "Test it."}, answer=DONE, parent="sub"),
        event("tool_status", "ask", "run", tool_name="ask_expert", arguments={"about": "queues"}),
        *llm("expert", {"role": "user", "content": "About queues?"}, answer=DONE, parent="ask"),
        event("tool_result", "ask", tool_name="ask_expert", result="They are lists."),
    )
    assert lines_of((await conversation(store)).blocks) == [
        "user: Fix it.",
        "assistant: I ask another agent.",
        "agent tester:",
        "  user: Test it.",
        "  assistant: Done.",
        "tool ask_expert {'about': 'queues'} → They are lists.",
        "agent ask_expert:",
        "  user: About queues?",
        "  assistant: Done.",
    ]


async def test_a_streamed_answer_grows_and_becomes_one_block(store: Store) -> None:
    append(store, *llm("one", FIX)[:2])
    for piece in ("I read", " the", " file."):
        store.append("run", event("token", "one", text=piece))
    assert lines_of((await conversation(store)).blocks) == ["user: Fix it.", "assistant: I read the file.…"]
    growing = (await conversation(store)).blocks[-1].name
    store.append("run", event("work_item_complete", "one", message=DONE))
    blocks = (await conversation(store)).blocks
    assert lines_of(blocks) == ["user: Fix it.", "assistant: Done."]
    assert blocks[-1].name == growing


async def test_log_lines_of_a_model_call_are_its_words(store: Store) -> None:
    append(
        store,
        *llm("one", FIX)[:2],
        event("log", "one", message="I read the file."),
        event("log", "one", message="retrying", level="warning"),
        event("log", "one", message="raw output", stream="stdout"),
        event("log", "run", message="not from the model"),
    )
    assert lines_of((await conversation(store)).blocks) == ["user: Fix it.", "assistant: I read the file."]


async def test_a_message_in_an_unknown_format_is_an_event_to_open(store: Store) -> None:
    append(store, event("log", messages={"from": "a model of tomorrow"}, message="prompt"), event("x", messages="text"))
    assert lines_of((await conversation(store)).blocks)[-1] == "user: text"
    assert any(line.startswith(("event #2", "user: ")) for line in lines_of((await conversation(store)).blocks))


async def test_the_conversation_as_of_an_earlier_event_is_what_was_said_until_then(store: Store) -> None:
    append(store, *llm("one", FIX, answer=ASKS), *llm("two", FIX, ASKS, READ, answer=DONE))
    async with store.read() as view:
        for seq in range(1, 8):
            then = await conversation_view(await reading_as_of(view, History(), "run", seq), "run")
            assert all(block.seq <= seq for block in flat(then.blocks))
        assert lines_of(then.blocks)[-1] == "assistant: Done. (3 earlier)"
        then = await conversation_view(await reading_as_of(view, History(), "run", 4), "run")
        assert lines_of(then.blocks) == [
            "user: Fix it.",
            "assistant: I read the file.",
            "tool read {'path': 'a.py'} → None",
        ]


async def test_a_long_conversation_is_read_in_parts_that_follow_each_other(store: Store) -> None:
    append(store)
    for number in range(160):
        said = {"role": "assistant", "content": f"answer {number}"}
        store.append("run", event("log", model="small-1", messages=[], choices=[{"message": said}], message="m"))
        store.append("run", [event("log", message=f"line {n}") for n in range(20)])
    newest = await conversation(store)
    assert newest.before is not None
    older = await conversation(store, before=newest.before)
    assert (len(newest.blocks), older.before) == (100, None)
    assert [block.text for block in (*older.blocks, *newest.blocks) if isinstance(block, Speech)] == [
        f"answer {number}" for number in range(160)
    ]


async def test_a_span_shows_its_own_part_and_that_of_the_spans_below(store: Store) -> None:
    append(
        store,
        *llm("one", FIX, answer=ASKS),
        event("work_item_start", "step", "run", work_item_id="step-2", work_type="step"),
        *llm("two", FIX, ASKS, READ, answer=DONE, parent="step"),
    )
    async with store.read() as view:
        task, span = await view.task("run"), await view.span("run", "step")
        assert span is not None
        found = await span_conversation(view, task, span)
    assert found is not None
    assert lines_of(found.blocks) == ["assistant: Done. (3 earlier)"]


async def test_a_span_of_opentelemetry_in_a_run_shows_the_spans_below_that_arrived_before_it(store: Store) -> None:
    call = {"work_type": "llm", "model": "small-1", "messages": [FIX], "choices": [{"message": DONE}]}
    append(store, event("span_end", "call", "agent", **call), event("span_end", "agent", "run", name="agent"))
    async with store.read() as view:
        task, span = await view.task("run"), await view.span("run", "agent")
        assert span is not None
        found = await span_conversation(view, task, span)
    assert found is not None
    assert lines_of(found.blocks)[-1].startswith("assistant: Done.")


OPENAI = {"id": "r", "model": "small-1"}
STREAMS: dict[str, list[dict[str, Any]]] = {
    "openai": [
        {**OPENAI, "choices": [{"delta": {"role": "assistant", "content": "Hel"}}]},
        {**OPENAI, "choices": [{"delta": {"content": "lo"}, "finish_reason": "stop"}]},
        {**OPENAI, "choices": [], "usage": {"prompt_tokens": 10, "completion_tokens": 15}},
    ],
    "anthropic": [
        {"type": "message_start", "message": {"id": "m", "role": "assistant", "usage": {"input_tokens": 10}}},
        {"type": "content_block_delta", "delta": {"type": "text_delta", "text": "Hel"}},
        {"type": "content_block_delta", "delta": {"type": "text_delta", "text": "lo"}},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 15}},
    ],
}


@pytest.mark.parametrize("api", STREAMS)
async def test_the_chunks_of_an_api_are_one_answer_and_one_call(store: Store, api: str) -> None:
    append(store, *[event("chunk", "one", "run", **chunk) for chunk in STREAMS[api]])
    found = await conversation(store)
    assert lines_of(found.blocks) == ["assistant: Hello"]
    assert found.task.usage is not None
    assert (found.task.usage.tokens.input, found.task.usage.tokens.output) == (10, 15)


def traced(number: int, began: int, ended: int, parent: int | None, **attributes: Any) -> TraceSpan:
    said = {f"gen_ai.{name}": value for name, value in attributes.items()}
    return TraceSpan(
        trace_id="5c" * 16,
        span_id=f"{number:016x}",
        parent_span_id=f"{parent:016x}" if parent else None,
        name=f"step {number}",
        started_ns=NOON + began * 10**9,
        ended_ns=NOON + ended * 10**9,
        attributes={name.replace("__", "."): value for name, value in said.items()},
    )


def talk_of_an_agent() -> list[TraceSpan]:
    chat = {"operation__name": "chat", "request__model": "small-1"}
    asks = [{"role": "assistant", "content": "I read the file.", "tool_calls": [CALL]}]
    first = traced(2, 1, 2, 1, **chat, input__messages=json.dumps([FIX]), output__messages=json.dumps(asks))
    tool = traced(3, 2, 4, 1, operation__name="execute_tool", tool__name="read", tool__call__id="c1")
    history = [FIX, ASKS, READ]
    last = traced(4, 4, 6, 1, **chat, input__messages=json.dumps(history), output__messages=json.dumps([DONE]))
    return [first, tool, last, traced(1, 0, 6, None)]


async def test_spans_in_any_order_are_the_conversation_that_they_are_in_order(store: Store) -> None:
    told = {}
    for number, order in enumerate(permutations(talk_of_an_agent())):
        task_id = f"order-{number}"
        for span in order:
            store.append(task_id, events_of_span(span))
        async with store.read() as view:
            told[number] = lines_of((await conversation_view(view, task_id)).blocks)
    assert len(told[0]) == 4
    assert [told[0][0], told[0][-1]] == ["user: Fix it.", "assistant: Done. (3 earlier)"]
    assert all(lines == told[0] for lines in told.values()), told


async def test_long_streamed_answers_make_a_page_shorter(store: Store) -> None:
    append(store)
    for answer in range(6):
        pieces = [event("assistant_delta", f"s{answer}", "run", delta="x" * 100_000) for _ in range(10)]
        store.append("run", pieces)
    parts, before = [], None
    while not parts or before:
        part = await conversation(store, **({"before": before} if before else {}))
        assert sum(len(block.text) for block in part.blocks if isinstance(block, Speech)) < 3_000_000
        parts.append(len(part.blocks))
        before = part.before
    assert sum(parts) == 6


async def test_the_newest_pieces_of_a_huge_answer_are_shown(store: Store) -> None:
    append(store, *(event("assistant_delta", "s", "run", delta=f"{n:03}" + "x" * 100_000) for n in range(60)))
    (block,) = (await conversation(store)).blocks
    assert isinstance(block, Speech)
    assert "the beginning is not shown" in block.text
    assert "059" in block.text
    assert len(block.text) < 3_000_000


async def test_a_request_is_open_again_after_its_interruption_was_undone(store: Store) -> None:
    async def permission() -> str:
        tools = [block for block in flat((await conversation(store)).blocks) if isinstance(block, ToolBlock)]
        (note,) = [tool.permission for tool in tools if tool.permission]
        return f"{note.state} by {note.by}"

    append(store, *llm("one", FIX, answer=ASKS))
    agent = event("work_item_start", "agent", "run", work_item_id="agent", work_type="agent")
    store.append("run", [agent, *llm("two", FIX, answer=ASKS, parent="agent")])
    store.append("run", event("permission_request", "two", request_id="r", tool_name="read"))
    assert await permission() == "open by "
    store.append("run", event("status", status="interrupted", explanation="no sign of life"), own=True)
    assert (await permission()).startswith("cleared")
    store.append("run", event("runner_heartbeat", "run"))
    assert await permission() == "open by "
    answer = event("permission_response", "two", request_id="r", approved=True, by="ann")
    store.append_audited("run", answer, action="permission_response", actor="ann")
    assert await permission() == "approved by ann"
    store.append("run", event("permission_request", "two", request_id="r", tool_name="read"))
    assert await permission() == "approved by ann"


def calls_of_tools(first: int, number: int, *, ids: bool = True) -> list[dict[str, Any]]:
    """Return messages of a model that call a tool, each with other arguments, 50 in each message."""
    calls = [{"type": "tool_use", "name": "t", "input": {"n": n}} for n in range(first, first + number)]
    if ids:
        calls = [{**call, "id": f"call {first + at}"} for at, call in enumerate(calls)]
    return [{"role": "assistant", "content": calls[at : at + 50]} for at in range(0, number, 50)]


async def test_a_page_has_a_limited_number_of_blocks_and_leads_to_the_earlier_ones(store: Store) -> None:
    for at in range(30):
        append(store, *llm(f"s{at}", answer=calls_of_tools(50 * at, 50)[0]))
    page, seen = await conversation(store), set[str]()
    while True:
        names = [block.name for block in flat(page.blocks)]
        assert 0 < len(names) <= 1000
        assert seen.isdisjoint(names)
        seen.update(names)
        if page.before is None:
            break
        page = await conversation(store, before=page.before)
    assert len(seen) == 30 * 51  # with the text of the prompt


async def test_an_event_has_a_limited_number_of_blocks(store: Store) -> None:
    append(store, *llm("s", *calls_of_tools(0, 1500)))
    blocks = (await conversation(store)).blocks
    assert 100 < len(blocks) < 250
    assert isinstance(blocks[-1], Unread)


@pytest.mark.parametrize("ids", [True, False])
async def test_many_calls_of_tools_are_found_without_comparing_all(
    store: Store, ids: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    compared = 0

    def counted(one: Any, other: Any) -> bool:
        nonlocal compared
        compared += 1
        return bool(one == other)

    monkeypatch.setattr(tool_calls, "_same", counted)
    results = [{"role": "tool", "tool_call_id": f"other {n}", "content": f"result {n}"} for n in range(25)]
    for at in range(5):
        append(store, *llm(f"s{at}", *calls_of_tools(1000 * at, 150, ids=ids), *results))
    blocks = list(flat((await conversation(store)).blocks))
    assert len([block for block in blocks if isinstance(block, ToolBlock)]) > 700
    assert compared < 1000


async def test_long_answers_are_read_once_to_find_repeated_messages(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = 0

    def counted(said: str) -> str:
        nonlocal read
        read += len(said)
        return " ".join(said.split())

    monkeypatch.setattr(builder, "_words", counted)
    for at, answer in enumerate(("x", "y", *(f"{n} {'long ' * 10_000}" for n in range(4)))):
        append(store, *llm(f"a{at}", answer={"role": "assistant", "content": answer}))
    for at in range(10):
        repeated = ["x" if at >> bit & 1 else "y" for bit in range(4)] + ["x"] * 20
        append(store, *llm(f"b{at}", *({"role": "assistant", "content": said} for said in repeated)))
    assert 6 <= len((await conversation(store)).blocks) < 10
    assert 200_000 < read < 1_000_000

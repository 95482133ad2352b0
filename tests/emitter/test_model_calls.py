"""Test that a model call is recorded with its messages, its streamed answer and its usage."""

from __future__ import annotations

import asyncio

from signalbox.store import open_task
from signalbox.store.model_calls import TokenCounts, Usage
from signalbox.store.sqlite import SqliteStore
from signalbox.webapp.demo.agent import converse
from signalbox.webapp.views.conversation.blocks import AgentBranch, Speech, ToolBlock
from signalbox.webapp.views.conversation.reading import conversation_view
from tests.support.log import log_of, spans_of, task_of

ASKED = [{"role": "user", "content": "How many moons has Mars?"}]


def test_a_model_call_is_a_span_with_its_messages_answer_and_usage(store: SqliteStore) -> None:
    with open_task(store, "t") as task, task.llm_call("small-1", ASKED) as call:
        call.piece("Mars ")
        call.answer("Mars has two.", usage={"input_tokens": 9, "output_tokens": 4}, cost_usd=0.5)
    started, piece, ended = (event.payload for event in log_of(store, "t")[1:4])
    assert (started["model"], started["messages"], piece) == ("small-1", ASKED, {"text": "Mars "})
    assert ended["message"] == {"role": "assistant", "content": "Mars has two."}
    (span,) = (span for span in spans_of(store, "t").values() if span.kind == "work_item")
    assert (span.name, span.work_type, span.model, span.state) == ("small-1", "llm", "small-1", "done")
    assert span.usage == task_of(store, "t").usage == Usage(TokenCounts(9, 4), 0.5)


async def test_a_streamed_answer_without_an_end_is_shown_in_asyncio_too(store: SqliteStore) -> None:
    async with open_task(store, "t") as task, task.llm_call("small-1", ASKED) as call:
        await call.piece("Mars")
    async with store.read() as view:
        blocks = (await conversation_view(view, "t")).blocks
    assert [(block.role, block.text) for block in blocks if isinstance(block, Speech)] == [
        ("user", "How many moons has Mars?"),
        ("assistant", "Mars"),
    ]


async def test_the_demo_agent_uses_tools_and_asks_another_agent(store: SqliteStore) -> None:
    answer = await asyncio.to_thread(converse, store, pace=0, task_id="review")
    assert "the check agrees" in answer
    async with store.read() as view:
        found = (await conversation_view(view, "review")).blocks
    assert [type(block) for block in found] == [
        Speech,
        Speech,
        Speech,
        ToolBlock,
        Speech,
        ToolBlock,
        AgentBranch,
        Speech,
    ]
    assert all(block.is_answered for block in found if isinstance(block, ToolBlock))

"""Test LangChain and LangGraph with their own fake models: each call of a graph is a task."""

from __future__ import annotations

import asyncio
import operator
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, TypedDict

import pytest
from langchain_core.documents import Document
from langchain_core.language_models.fake_chat_models import GenericFakeChatModel
from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.retrievers import BaseRetriever
from langchain_core.runnables import RunnableLambda
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.types import Command, RetryPolicy, interrupt

from signalbox.integrations.langchain import SignalboxCallbackHandler, ainvoke, invoke
from signalbox.integrations.reporting.background import background_writer
from signalbox.integrations.reporting.target import target
from signalbox.store import open_store, open_task
from tests.libraries.agents.conftest import Console, Person

USAGE = {"input_tokens": 30, "output_tokens": 5, "total_tokens": 35, "input_token_details": {"cache_read": 12}}


@tool
def weather(city: str) -> str:
    """Return the weather."""
    if city == "Atlantis":
        raise ValueError("no such city")
    return f"sunny in {city}"


def model(*answers: AIMessage) -> GenericFakeChatModel:
    return GenericFakeChatModel(messages=iter(answers))


@pytest.fixture
def callbacks(console: Console) -> dict[str, Any]:
    return {"callbacks": [SignalboxCallbackHandler()]}


def agent_graph() -> Any:
    """An agent that calls a tool and then answers."""
    call = {"name": "weather", "args": {"city": "Oslo"}, "id": "call-1"}
    answers = (AIMessage("", tool_calls=[call], usage_metadata=USAGE), AIMessage("It is sunny.", usage_metadata=USAGE))
    llm = model(*answers)

    def think(state: MessagesState) -> dict[str, Any]:
        return {"messages": [llm.invoke(state["messages"])]}

    def act(state: MessagesState) -> dict[str, Any]:
        last = state["messages"][-1]
        return {"messages": [weather.invoke({**one, "type": "tool_call"}) for one in last.tool_calls]}

    graph = StateGraph(MessagesState)
    graph.add_node("think", think)
    graph.add_node("act", act)
    graph.add_edge(START, "think")
    graph.add_conditional_edges("think", lambda state: "act" if state["messages"][-1].tool_calls else END)
    graph.add_edge("act", "think")
    return graph.compile()


QUESTION = {"messages": [("user", "What is the weather in Oslo?")]}


def test_a_graph_is_a_task_with_its_nodes_model_calls_and_tools(console: Console, callbacks: dict[str, Any]) -> None:
    agent_graph().invoke(QUESTION, callbacks)
    task = console.task(status="done")
    assert (task.title, task.kind) == ("What is the weather in Oslo?", "langgraph")
    assert task.usage.tokens.input == 60
    assert task.usage.tokens.output == 10
    assert task.usage.tokens.cache_read == 24
    spans = console.spans(task)
    assert spans["act"].work_type == "node"
    assert spans["weather"].parent_span_id == spans["act"].span_id
    assert {span.state for span in spans.values()} == {"done"}
    [result] = console.events(task, "tool_result")
    assert result.payload["result"] == "sunny in Oslo"
    page = console.page(f"/tasks/{task.task_id}/conversation")
    assert page.count("What is the weather in Oslo?") >= 1
    assert "It is sunny." in page
    assert "sunny in Oslo" in page


async def test_an_async_graph_streams_the_words_of_the_model(console: Console, callbacks: dict[str, Any]) -> None:
    llm = model(AIMessage("one two three four"))

    async def speak(state: MessagesState) -> dict[str, Any]:
        return {"messages": [await llm.ainvoke(state["messages"])]}

    graph = StateGraph(MessagesState)
    graph.add_node("speak", speak)
    graph.add_edge(START, "speak")
    async for _ in graph.compile().astream({"messages": [("user", "Count")]}, callbacks, stream_mode="messages"):
        pass
    task = await asyncio.to_thread(console.task, status="done")
    pieces = [event.payload["delta"] for event in await asyncio.to_thread(console.events, task, "token")]
    assert "".join(pieces) == "one two three four"


def test_the_error_of_a_node_fails_the_node_and_the_task(console: Console, callbacks: dict[str, Any]) -> None:
    def broken(state: MessagesState) -> dict[str, Any]:
        weather.invoke({"city": "Atlantis"})
        return {}

    graph = StateGraph(MessagesState)
    graph.add_node("broken", broken)
    graph.add_edge(START, "broken")
    with pytest.raises(ValueError, match="no such city"):
        graph.compile().invoke(QUESTION, callbacks)
    task = console.task(status="failed")
    spans = console.spans(task)
    assert {spans[name].state for name in ("broken", "weather")} == {"failed"}
    [end] = console.events(task, "runner_exit")
    assert (end.payload["error_code"], end.payload["message"]) == ("ValueError", "no such city")


def test_parallel_branches_are_spans_beside_each_other(console: Console, callbacks: dict[str, Any]) -> None:
    class Found(TypedDict):
        found: Annotated[list[str], operator.add]

    graph = StateGraph(Found)
    for name in ("left", "right"):
        graph.add_node(name, lambda state, name=name: {"found": [name]})
        graph.add_edge(START, name)
    assert sorted(graph.compile().invoke({"found": []}, callbacks)["found"]) == ["left", "right"]
    spans = console.spans(console.task(status="done"))
    assert spans["left"].parent_span_id == spans["right"].parent_span_id


def test_a_retried_node_is_one_span_with_its_attempts(console: Console, callbacks: dict[str, Any]) -> None:
    attempts: Iterator[int] = iter(range(5))

    def shaky(state: MessagesState) -> dict[str, Any]:
        if next(attempts) < 2:
            raise ConnectionError("try again")
        return {}

    graph = StateGraph(MessagesState)
    policy = RetryPolicy(initial_interval=0.01, max_attempts=3, jitter=False)
    graph.add_node("shaky", shaky, retry_policy=policy)
    graph.add_edge(START, "shaky")
    graph.compile().invoke(QUESTION, callbacks)
    task = console.task(status="done")
    starts = [event for event in console.events(task, "work_item_start") if event.payload["work_item_id"] == "shaky"]
    assert len({event.span_id for event in starts}) == 1
    assert (len(starts), len(console.events(task, "work_item_failed"))) == (3, 2)
    assert console.spans(task)["shaky"].state == "done"


def test_a_retried_runnable_is_one_span_with_its_attempts(console: Console, callbacks: dict[str, Any]) -> None:
    attempts: Iterator[int] = iter(range(5))

    def shaky(value: str) -> str:
        if next(attempts) < 1:
            raise ConnectionError("try again")
        return value

    chain = RunnableLambda(shaky, name="shaky").with_retry(wait_exponential_jitter=False, stop_after_attempt=2)
    assert (RunnableLambda(lambda value: value, name="first") | chain).invoke("x", callbacks) == "x"
    task = console.task(status="done")
    starts = [event for event in console.events(task, "work_item_start") if event.payload["work_item_id"] == "shaky"]
    # The retry itself, and its two attempts.
    assert (len(starts), len({event.span_id for event in starts})) == (3, 2)


def test_a_retriever_shows_its_query_and_documents(console: Console, callbacks: dict[str, Any]) -> None:
    class Library(BaseRetriever):
        def _get_relevant_documents(self, query: str, **kwargs: Any) -> list[Document]:
            return [Document("Mars has two moons.", metadata={"page": 7})]

    chain = RunnableLambda(lambda question: question, name="ask") | Library(name="library")
    chain.invoke("How many moons?", callbacks)
    task = console.task(status="done")
    [started], [ended] = console.events(task, "tool_status"), console.events(task, "tool_result")
    assert started.payload["arguments"] == {"query": "How many moons?"}
    assert ended.payload["result"] == [{"content": "Mars has two moons.", "metadata": {"page": 7}}]


def test_a_model_that_is_called_alone_is_a_task(console: Console, callbacks: dict[str, Any]) -> None:
    model(AIMessage("Hello", usage_metadata=USAGE)).invoke("Hi there", callbacks)
    task = console.task(status="done")
    assert task.title == "Hi there"
    assert task.usage.tokens.input == 30


def test_a_graph_inside_a_run_is_a_step_of_that_run(console: Console, callbacks: dict[str, Any]) -> None:
    store = open_store(console.store_url)
    with open_task(store, "nightly-graph", title="Nightly") as task, task.phase("executing") as phase:
        agent_graph().invoke(QUESTION, callbacks)
        background_writer(target()).flush()
        step = phase.span_id
    store.close()
    [nightly] = console.tasks()
    assert nightly.status == "done"
    spans = console.spans(nightly)
    assert spans["What is the weather in Oslo?"].parent_span_id == step


def interrupted_graph(value: Any, **options: Any) -> Any:
    def review(state: MessagesState) -> dict[str, Any]:
        return {"messages": [HumanMessage(f"the answer is {interrupt(value, **options)!r}")]}

    graph = StateGraph(MessagesState)
    graph.add_node("review", review)
    graph.add_edge(START, "review")
    return graph.compile(checkpointer=InMemorySaver())


def thread(name: str, callbacks: dict[str, Any]) -> dict[str, Any]:
    return {"configurable": {"thread_id": name}, **callbacks}


@pytest.mark.parametrize(("approved", "said"), [(True, "True"), (False, "False")])
def test_an_interrupt_is_a_permission_request_and_its_answer_resumes_the_graph(
    console: Console, person: Person, callbacks: dict[str, Any], approved: bool, said: str
) -> None:
    person.will_answer({"approved": approved, "reason": "because"})
    graph = interrupted_graph({"action": "deploy", "question": "Deploy to production?", "target": "production"})
    result = invoke(graph, QUESTION, thread(f"t-{said}", callbacks), timeout=20)
    assert result["messages"][-1].content == f"the answer is {said}"
    [request] = person.done()
    assert (request["tool_name"], request["reason"]) == ("deploy", "Deploy to production?")
    assert request["arguments"]["target"] == "production"
    task = console.task(status="done")
    assert len(console.tasks()) == 1
    # The node is open while it waits, and the request is at its span.
    review = console.spans(task)["review"]
    assert (request["span_id"], review.state) == (review.span_id, "done")
    assert task.items_total == 1


async def test_an_interrupt_with_a_schema_is_resumed_with_a_value(
    console: Console, person: Person, callbacks: dict[str, Any]
) -> None:
    person.will_answer({"approved": True, "value": {"seats": 4}})
    schema = {"type": "object", "properties": {"seats": {"type": "integer"}}, "required": ["seats"]}
    graph = interrupted_graph("How many seats?", response_schema=schema)
    result = await ainvoke(graph, QUESTION, thread("t-schema", callbacks), timeout=20)
    assert result["messages"][-1].content == "the answer is {'seats': 4}"


def test_the_tool_calls_of_the_middleware_are_answered_one_by_one(
    console: Console, person: Person, callbacks: dict[str, Any]
) -> None:
    by_name = {
        "delete": {"approved": False, "reason": "keep it"},
        "write": {"approved": True, "value": {"path": "b.txt"}},
        "read": {"approved": True},
    }
    person.will_answer(*[lambda request: by_name[request["tool_name"]]] * 3)
    allowed = ["approve", "edit", "reject"]
    value = {
        "action_requests": [
            {"name": "delete", "args": {"path": "a.txt"}, "description": "Delete a file"},
            {"name": "write", "args": {"path": "a.txt"}},
            {"name": "read", "args": {"path": "a.txt"}},
        ],
        "review_configs": [{"action_name": name, "allowed_decisions": allowed} for name in by_name],
    }
    seen: list[Any] = []

    def review(state: MessagesState) -> dict[str, Any]:
        seen.append(interrupt(value))
        return {}

    graph = StateGraph(MessagesState)
    graph.add_node("review", review)
    graph.add_edge(START, "review")
    invoke(graph.compile(checkpointer=InMemorySaver()), QUESTION, thread("t-hitl", callbacks), timeout=20)
    assert seen == [
        {
            "decisions": [
                {"type": "reject", "message": "keep it"},
                {"type": "edit", "edited_action": {"name": "write", "args": {"path": "b.txt"}}},
                {"type": "approve"},
            ]
        }
    ]


def test_an_interrupt_that_nobody_answers_in_time_is_returned(console: Console, callbacks: dict[str, Any]) -> None:
    graph = interrupted_graph("Go on?")
    result = invoke(graph, QUESTION, thread("t-late", callbacks), timeout=0.2)
    assert len(result["__interrupt__"]) == 1
    task = console.task(status="cancelled")
    assert console.events(task, "permission_cleared")[0].payload["cause"] == "expired"
    # The program may still resume the graph by its own means.
    graph.invoke(Command(resume="yes"), thread("t-late", callbacks))
    assert console.task(status="done").task_id == task.task_id


def test_an_interrupt_that_the_program_resumes_itself_is_closed_on_the_page(
    console: Console, callbacks: dict[str, Any]
) -> None:
    graph = interrupted_graph("Go on?")
    graph.invoke(QUESTION, thread("t-own", callbacks))
    console.task(status="waiting")
    graph.invoke(Command(resume="yes"), thread("t-own", callbacks))
    task = console.task(status="done")
    assert console.events(task, "permission_cleared")[0].payload["cause"] == "resumed"
    assert len(console.tasks()) == 1


PROGRAM = """
from langchain_core.language_models.fake_chat_models import FakeListChatModel
print(FakeListChatModel(responses=["Hello"]).invoke("Hi from a program").content)
"""


@pytest.mark.parametrize("start", ["launcher", "variable"])
def test_a_program_reports_without_a_handler(console: Console, tmp_path: Path, start: str) -> None:
    program = tmp_path / "program.py"
    imported = "import signalbox.integrations.langchain\n" if start == "variable" else ""
    program.write_text(imported + PROGRAM)
    command = [sys.executable, *(["-m", "signalbox.integrations.langchain"] if start == "launcher" else []), program]
    environment = {**os.environ, **({"SIGNALBOX_LANGCHAIN": "1"} if start == "variable" else {})}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    assert done.stdout == "Hello\n", done.stderr
    assert console.task(status="done").title == "Hi from a program"


def test_a_program_under_signalbox_run_reports_into_the_task_of_its_command(console: Console, tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    command = [sys.executable, "-m", "signalbox.integrations.langchain", str(program)]
    run = [sys.executable, "-m", "signalbox", "run", "--task", "wrapped-chain", "--", *command]
    done = subprocess.run(run, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    [task] = console.tasks()
    assert (task.task_id, task.status) == ("wrapped-chain", "done")
    spans = console.spans(task)
    assert spans["FakeListChatModel"].parent_span_id == spans["Hi from a program"].span_id
    assert spans["Hi from a program"].state == "done"


def test_a_graph_runs_without_a_store(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIGNALBOX_SERVER", "http://127.0.0.1:9")
    callbacks = {"callbacks": [SignalboxCallbackHandler()]}
    assert agent_graph().invoke(QUESTION, callbacks)["messages"][-1].content == "It is sunny."
    result = invoke(interrupted_graph("Go on?"), QUESTION, thread("t-away", callbacks), timeout=5)
    assert len(result["__interrupt__"]) == 1

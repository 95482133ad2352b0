"""`/tasks/{id}/conversation`, and tokens, cost and budgets on the pages and in the API."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from signalbox.store import NewEvent
from tests.support.log import log_of
from tests.support.server import Server
from tests.support.waiting import wait_until

PRICES = '{"small-*": {"input": 100, "output": 100}}'
HOSTILE = "<script>alert(1)</script> [x](javascript:alert(1)) **bold**"


def event(event_type: str, span_id: str | None = None, parent: str | None = None, **payload: Any) -> NewEvent:
    return NewEvent(event_type=event_type, span_id=span_id, parent_span_id=parent, payload=payload)


def call(span_id: str, answer: Any, tokens: int) -> list[NewEvent]:
    asked = [{"role": "user", "content": f"question for {span_id}"}]
    return [
        event(
            "work_item_start", span_id, "run", work_item_id=span_id, work_type="llm", model="small-1", messages=asked
        ),
        event("work_item_complete", span_id, message=answer, usage={"input_tokens": tokens, "output_tokens": 0}),
    ]


@pytest.fixture(scope="module")
def priced(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    budgets = '{"limited": {"tokens": 50}}'
    running = Server(tmp_path_factory.mktemp("priced"), prices=PRICES, budgets=budgets, heartbeat_timeout=2).start()
    yield running
    running.close()
    assert "Traceback" not in running.log, running.log


def emit(server: Server, task: str, *events: NewEvent) -> None:
    server.store.append(task, [event("runner_spawn", "run", runner_pid=1), *events])


def test_a_conversation_is_shown_as_markdown_and_without_scripts(priced: Server) -> None:
    emit(priced, "said", *call("one", {"role": "assistant", "content": HOSTILE}, 10_000))
    text = httpx.get(f"{priced.url}/tasks/said/conversation").text
    assert "question for one" in text
    assert "<strong>bold</strong>" in text
    assert "<script>alert" not in text
    assert 'href="javascript' not in text
    for path in ("", "/spans/one", "/conversation", "/conversation?at=2", "/log?show=conversation", "/conversation/2"):
        assert "question for one" in httpx.get(f"{priced.url}/tasks/said{path}").text or path == "", path
    assert "No conversation yet" in httpx.get(f"{priced.url}/tasks/said/conversation?at=1").text


def test_tokens_and_cost_are_shown_and_in_the_api(priced: Server) -> None:
    emit(priced, "paid", *call("one", {"role": "assistant", "content": "yes"}, 20_000))
    emit(priced, "cheap", *call("one", {"role": "assistant", "content": "yes"}, 10_000))
    compared = httpx.get(f"{priced.url}/compare?a=paid&b=cheap").text
    assert "−$1.00" in compared
    assert "−10,000" in compared
    for path in ("/tasks/paid", "/tasks/paid/spans/one", "/tasks/paid/conversation", "/tasks"):
        assert "$2.00" in httpx.get(f"{priced.url}{path}").text, path
    task = httpx.get(f"{priced.url}/api/tasks/paid").json()
    assert task["usage"] == {
        "input_tokens": 20_000,
        "output_tokens": 0,
        "cache_read_tokens": 0,
        "cache_write_tokens": 0,
        "reasoning_tokens": 0,
        "cost_usd": 2.0,
        "cost_complete": True,
    }
    spans = {span["span_id"]: span for span in httpx.get(f"{priced.url}/api/tasks/paid/graph").json()["spans"]}
    assert spans["run"]["usage"] == spans["one"]["usage"] == task["usage"]
    assert spans["one"]["model"] == "small-1"


def test_a_run_over_its_budget_is_marked(priced: Server) -> None:
    httpx.post(f"{priced.url}/api/tasks", json={"task_id": "rich", "budget": {"cost_usd": 0.5}}).raise_for_status()
    httpx.post(f"{priced.url}/api/tasks", json={"task_id": "kind", "kind": "limited"}).raise_for_status()
    for task, limit in (("rich", "$0.500"), ("kind", "50 tokens")):
        emit(priced, task, *call("one", {"role": "assistant", "content": "yes"}, 20_000))
        assert f"over budget: {limit}" in httpx.get(f"{priced.url}/tasks/{task}").text
        assert httpx.get(f"{priced.url}/api/tasks/{task}").json()["over_budget"] == limit
    refused = httpx.post(f"{priced.url}/api/tasks", json={"task_id": "x", "budget": {"cost_usd": -1}})
    assert (refused.status_code, refused.json()["error"]["field"]) == (400, "cost_usd")


def test_a_run_over_a_budget_with_cancel_is_asked_to_stop(priced: Server) -> None:
    budget = {"tokens": 100, "cancel": True}
    httpx.post(f"{priced.url}/api/tasks", json={"task_id": "stop", "budget": budget}).raise_for_status()
    emit(priced, "stop", *call("one", {"role": "assistant", "content": "yes"}, 101))
    (asked,) = wait_until(lambda: [e for e in log_of(priced.store, "stop") if e.event_type == "cancel_requested"])
    assert (asked.origin, asked.payload["reason"]) == ("server", "budget of 100 tokens exceeded")


def test_a_huge_message_makes_a_page_of_ordinary_size(priced: Server) -> None:
    calls = [{"id": f"c{n}", "function": {"name": "read", "arguments": "{}"}} for n in range(2000)]
    emit(priced, "huge", *call("one", {"role": "assistant", "content": "x" * 60_000, "tool_calls": calls}, 1))
    text = httpx.get(f"{priced.url}/tasks/huge/conversation").text
    assert len(text) < 120_000
    assert "Show all 60,000 characters" in text
    assert "more parts" in text


def test_the_page_of_a_call_with_many_messages_has_an_ordinary_size(priced: Server) -> None:
    messages = [{"role": "user", "content": "hello"}] * 5000
    emit(priced, "chatty", event("work_item_start", "one", "run", work_type="llm", messages=messages))
    text = httpx.get(f"{priced.url}/tasks/chatty/conversation/2").text
    assert "5,000 messages" in text
    assert "more parts" in text
    assert len(text) < 700_000


@pytest.mark.long
def test_the_server_answers_others_while_it_formats_a_long_conversation(server: Server) -> None:
    said = [NewEvent(event_type="user_message", payload={"content": f"{n} " + "*a* " * 2900}) for n in range(12)]
    server.emit("long", *said)
    with ThreadPoolExecutor(1) as pool:
        page = pool.submit(server.get, "/tasks/long/conversation")
        answered = 0
        while not page.done():
            assert server.get("/healthz").status_code == 200
            answered += not page.done()
    assert page.result().status_code == 200
    assert answered > 20

"""The AG-UI dialect: a run as events of the Agent User Interaction Protocol, with interrupts that people answer."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from signalbox import open_task
from signalbox.store import NewEvent
from signalbox.webapp.dialects.agui import Narration
from tests.support.log import log_of
from tests.support.paths import ROOT
from tests.support.people import project, token, wait_until_guarded
from tests.support.server import Server
from tests.support.waiting import wait_until

JSON = dict[str, Any]


def event(event_type: str, span: str = "main", parent: str | None = None, **payload: Any) -> NewEvent:
    return NewEvent(event_type=event_type, span_id=span, parent_span_id=parent, payload=payload)


def whole_run() -> list[NewEvent]:
    """Return the events of a run that uses every kind of span."""
    return [
        event("runner_spawn"),
        NewEvent(event_type="phase_enter", phase="executing", span_id="p1"),
        event("work_item_start", "i1", "p1", work_item_id="build", work_type="step"),
        event("work_item_start", "i2", "p1", work_item_id="build", work_type="step"),
        *[event("log", "i1", message=f"line {number}") for number in range(3)],
        event("log", "i1", message="a warning", stream="stderr"),
        event("tool_status", "t1", "i1", tool_name="grep", arguments={"pattern": "x"}),
        event("tool_status", "t1", "i1", tool_name="grep", status="half"),
        event("tool_result", "t1", "i1", tool_name="grep", result=["a.py"]),
        event("work_item_start", "m1", "i1", work_item_id="ask", work_type="llm", model="small-1"),
        event("log", "m1", delta="Hello "),
        event("runner_heartbeat"),
        event("log", "m1", delta="world"),
        event("work_item_complete", "m1", "i1", work_item_id="ask", usage={"input_tokens": 9, "output_tokens": 2}),
        event("progress_update", progress={"current": 1, "total": 2}),
        event("checkpoint_commit", checkpoint_id="c1"),
        event("work_item_complete", "i1", "p1", work_item_id="build"),
        event("work_item_failed", "i2", "p1", work_item_id="build"),
    ]


class AguiClient:
    """A client that keeps its state between runs of the protocol, as the official one does."""

    def __init__(self, server: Server, path: str, headers: dict[str, str] | None = None) -> None:
        self.url, self.headers = f"{server.url}/api/agui/{path}", headers or {}
        self.state: Any = None
        self.runs = 0

    def run(self, **fields: Any) -> list[JSON]:
        """Send one request, and return its events up to the end of the stream."""
        self.runs += 1
        given = {"threadId": "thread", "runId": f"run-{self.runs}", "messages": [], "tools": [], "context": []}
        body = {**given, "state": self.state, "forwardedProps": {}, **fields}
        events: list[JSON] = []
        with httpx.stream("POST", self.url, json=body, headers=self.headers, timeout=60) as response:
            if response.status_code != 200:
                response.read()
                raise AssertionError(response.text)
            events = [json.loads(line[6:]) for line in response.iter_lines() if line.startswith("data: ")]
        for one in events:
            if one["type"] == "STATE_SNAPSHOT":
                self.state = one["snapshot"]
            for change in one.get("delta", []) if one["type"] == "STATE_DELTA" else []:
                self.state[change["path"][1:]] = change["value"]
        check(events)
        return events


def check(events: list[JSON]) -> None:
    """Assert what the protocol demands: a run begins and ends once, and closes everything that it opens."""
    assert events[0]["type"] == "RUN_STARTED"
    assert [one["type"] for one in events[1:]].count("RUN_STARTED") == 0
    assert events[-1]["type"] in ("RUN_FINISHED", "RUN_ERROR")
    is_open: Counter[str] = Counter()
    for one in events:
        for prefix, name in (("STEP", "stepName"), ("TEXT_MESSAGE", "messageId"), ("TOOL_CALL", "toolCallId")):
            if one["type"] in (f"{prefix}_STARTED", f"{prefix}_START"):
                assert not is_open[one[name]], one
                is_open[one[name]] += 1
            elif one["type"] in (f"{prefix}_FINISHED", f"{prefix}_END", f"{prefix}_CONTENT", f"{prefix}_ARGS"):
                assert is_open[one[name]] == 1, one
                is_open[one[name]] -= one["type"] in (f"{prefix}_FINISHED", f"{prefix}_END")
    assert not +is_open
    assert None not in [value for one in events for value in one.values()]


def texts(events: list[JSON]) -> dict[str, str]:
    found: dict[str, str] = {}
    for one in events:
        if one["type"] == "TEXT_MESSAGE_CONTENT":
            found[one["messageId"]] = found.get(one["messageId"], "") + one["delta"]
    return found


def without_state(events: list[JSON]) -> list[JSON]:
    return [one for one in events if not one["type"].startswith("STATE")]


def test_a_run_is_told_in_the_events_of_the_protocol(server: Server) -> None:
    server.emit("agui-whole", *whole_run(), event("runner_exit", exit_code=0))
    events = AguiClient(server, "runs/agui-whole").run()
    assert events[0] | {"protocolVersion": "1.0", "threadId": "thread", "runId": "run-1"} == events[0]
    snapshot = next(one["snapshot"] for one in events if one["type"] == "STATE_SNAPSHOT")
    assert (snapshot["status"], snapshot["workItems"]) == ("done", {"total": 3, "done": 2, "failed": 1})
    steps = [one["stepName"] for one in events if one["type"] == "STEP_STARTED"]
    assert steps == ["executing", "build", "build (i2)", "ask"]
    assert texts(events) == {
        "output-5": "line 0\nline 1\nline 2\n",
        "output-8": "a warning\n",
        "answer-m1": "Hello world",
    }
    call = [one for one in events if one["type"].startswith("TOOL_CALL")]
    assert [one["type"][10:] for one in call] == ["START", "ARGS", "END", "RESULT"]
    assert (call[0]["toolCallName"], call[1]["delta"], call[3]["content"]) == ("grep", '{"pattern":"x"}', '["a.py"]')
    assert [one["name"] for one in events if one["type"] == "CUSTOM"] == ["checkpoint_commit"]
    assert events[-1]["outcome"] == {"type": "success"}
    assert events[-1]["usage"][0] | {"inputTokens": 9, "outputTokens": 2} == events[-1]["usage"][0]


@pytest.mark.parametrize(
    ("end", "last"),
    [
        (event("runner_exit", exit_code=3, message="boom"), ("RUN_ERROR", "failed", None)),
        (event("status", status="cancelled"), ("RUN_FINISHED", None, {"type": "cancelled"})),
    ],
)
def test_the_end_of_a_run_is_the_end_of_the_stream(server: Server, end: NewEvent, last: Any) -> None:
    task_id = f"agui-{last[0]}"
    server.emit(task_id, *whole_run()[:5], end)
    found = AguiClient(server, f"runs/{task_id}").run()[-1]
    assert (found["type"], found.get("code"), found.get("outcome")) == last


def test_an_interrupt_is_answered_in_the_next_run_which_continues(server: Server) -> None:
    asks = event("permission_request", "t9", request_id="r/1", tool_name="rm", arguments={"path": "x"}, reason="why?")
    asks.payload["choices"] = ["keep", "drop"]
    opens_tool = event("tool_status", "t9", tool_name="rm", arguments={"path": "x"})
    server.emit("agui-asks", *whole_run()[:7], opens_tool, asks)
    client = AguiClient(server, "runs/agui-asks")
    first = client.run()
    (interrupt,) = first[-1]["outcome"]["interrupts"]
    assert (interrupt["id"], interrupt["message"], interrupt["toolCallId"]) == ("r/1", "why?", "t9")
    assert interrupt["responseSchema"]["properties"]["value"] == {"enum": ["keep", "drop"]}
    # Asking again without an answer continues at the same question, and repeats nothing.
    assert [one["type"] for one in without_state(client.run())] == [
        *["RUN_STARTED", "STEP_STARTED", "STEP_STARTED", "STEP_STARTED"],
        *["STEP_FINISHED", "STEP_FINISHED", "STEP_FINISHED", "RUN_FINISHED"],
    ]
    threading.Timer(0.5, server.emit, ("agui-asks", "after the answer", event("runner_exit", exit_code=0))).start()
    resume = [{"interruptId": "r/1", "status": "resolved", "payload": {"approved": True, "value": "drop"}}]
    last = client.run(resume=resume)
    assert texts(last) == {"output-11": "after the answer\n"}
    assert [one["value"]["value"] for one in last if one["type"] == "CUSTOM"] == ["drop"]
    assert last[-1]["outcome"] == {"type": "success"}
    # The same request, sent again, is not a second answer.
    client.runs -= 1
    assert client.run(resume=resume)[-1]["type"] == "RUN_FINISHED"


def test_a_wrong_answer_is_refused_before_the_stream_begins(server: Server) -> None:
    server.emit("agui-wrong", event("runner_spawn"), event("permission_request", request_id="r1", tool_name="rm"))
    client = AguiClient(server, "runs/agui-wrong")
    for entry, words in (
        ({"interruptId": "r1", "status": "resolved", "payload": {}}, "payload must be"),
        ({"interruptId": "r1", "status": "resolved", "payload": {"approved": True, "value": 1}}, "value"),
        ({"interruptId": "nothing", "status": "cancelled"}, "unknown_permission"),
        ({"interruptId": "r1", "status": "maybe"}, "status"),
    ):
        with pytest.raises(AssertionError, match=words):
            client.run(resume=[entry])
    assert server.get("/api/tasks/agui-wrong").json()["permissions_open"] == 1
    with pytest.raises(AssertionError, match="threadId"):
        client.run(threadId="")
    assert server.post("/api/agui/runs/unknown", json={"threadId": "t", "runId": "r"}).status_code == 404


def follow(server: Server, task_id: str, **headers: str) -> Iterator[tuple[str | None, JSON]]:
    """Yield the id and the data of each message of the GET stream."""
    position: str | None = None
    data: JSON = {}
    with httpx.stream("GET", f"{server.url}/api/agui/runs/{task_id}", headers=headers, timeout=60) as response:
        for line in response.iter_lines():
            if line.startswith("data: "):
                data = json.loads(line[6:])
            elif line.startswith("id: "):
                position = line[4:]
            elif not line and data:
                yield position, data
                position, data = None, {}


def test_a_cut_stream_continues_after_its_last_id_with_the_same_events(server: Server) -> None:
    server.emit("agui-cut", *whole_run(), event("runner_exit", exit_code=0))
    whole = list(follow(server, "agui-cut"))
    wanted = [one for one in (data for _, data in whole) if not one["type"].startswith(("STATE", "RUN_STARTED"))]
    ids = [position for position, _ in whole if position is not None]
    assert ids[-1] == str(server.latest("agui-cut"))
    for cut in sorted(set(ids), key=int)[:-1]:
        before = [data for position, data in whole[: [p for p, _ in whole].index(cut) + 1]]
        after = [data for _, data in follow(server, "agui-cut", **{"Last-Event-ID": cut})]
        both = [one for one in before + after if not one["type"].startswith(("STATE", "RUN_STARTED"))]
        assert both == wanted


def test_new_events_arrive_live(server: Server) -> None:
    server.emit("agui-live", event("runner_spawn"))
    seen: list[JSON] = []

    def read() -> None:
        seen.extend(data for _, data in follow(server, "agui-live"))

    reader = threading.Thread(target=read)
    reader.start()
    wait_until(lambda: len(seen) >= 0 and server.get("/sse/health").json()["tasks"] > 0, message="no stream")
    server.emit("agui-live", "now", event("runner_exit", exit_code=0))
    reader.join(60)
    check(seen)
    assert texts(seen) == {"output-2": "now\n"}


def test_a_server_that_stops_ends_the_stream_with_an_error_that_says_so(start_server: Any) -> None:
    own = start_server()
    own.emit("run", *whole_run()[:6])
    seen: list[JSON] = []
    reader = threading.Thread(target=lambda: seen.extend(data for _, data in follow(own, "run")))
    reader.start()
    wait_until(lambda: own.get("/sse/health").json()["streams"] > 0, message="no stream")
    own.stop()
    reader.join(60)
    assert (seen[-1]["type"], seen[-1]["code"]) == ("RUN_ERROR", "reconnect")


def test_a_thread_starts_a_run_of_the_project_and_answers_need_the_right(start_server: Any) -> None:
    own = start_server()
    command = [sys.executable, "-c", "print('from the agent')"]
    own.store.people.add_project("shop", "The shop", agent={"kind": "command", "argv": command})
    project(own.store, "theirs")
    reader = token(own.store, "reader", project_id="shop", scopes=("read",))
    operator = token(own.store, "operator", project_id="shop")
    stranger = token(own.store, "stranger", project_id="theirs")
    wait_until_guarded(own)
    client = AguiClient(own, "projects/shop", operator)
    said = [{"id": "m1", "role": "user", "content": "Tidy up\nthe shop"}]
    events = client.run(threadId="thread-1", messages=said)
    assert "from the agent\n" in texts(events).values()
    assert events[-1]["outcome"] == {"type": "success"}
    assert own.get("/api/tasks/thread-1", headers=operator).json()["title"] == "Tidy up the shop"
    # The same thread is the same run.
    assert client.run(threadId="thread-1")[-1]["type"] == "RUN_FINISHED"
    for headers, path in ((reader, "projects/shop"), (stranger, "runs/thread-1")):
        with pytest.raises(AssertionError, match="forbidden"):
            AguiClient(own, path, headers).run(threadId="thread-1")
    resume = [{"interruptId": "r1", "status": "resolved", "payload": True}]
    with pytest.raises(AssertionError, match="right to answer"):
        AguiClient(own, "runs/thread-1", reader).run(resume=resume)


@pytest.mark.parametrize(("words", "shown"), [("yes", "it was allowed"), ("no", "it was refused")])
def test_the_example_answers_a_question_and_shows_the_run(server: Server, words: str, shown: str) -> None:
    task_id = f"agui-example-{words}"

    def work() -> None:
        with open_task(server.store, task_id) as task, task.phase("executing"), task.tool("rm", {"path": "x"}) as call:
            allowed = call.ask_permission("rm", {"path": "x"}, reason="Delete x?")
            call.result(result=f"it was {'allowed' if allowed else 'refused'}")

    server.store.create_task(task_id)
    running = threading.Thread(target=work)
    running.start()
    example = [sys.executable, str(ROOT / "examples" / "agui_client.py"), task_id, "--server", server.url]
    result = subprocess.run([*example, "--answer", words], capture_output=True, text=True, timeout=60)
    running.join(60)
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.splitlines()[:2] == ["— executing", '→ rm {"path":"x"}']
    assert f"← {shown}" in result.stdout
    assert result.stdout.endswith("success\n")


@pytest.mark.long
def test_many_open_steps_and_questions_are_told_in_bounded_time(server: Server) -> None:
    number = 15_000
    started = [event("work_item_start", f"i{item}", work_item_id=f"item {item}") for item in range(number)]
    asked = [event("permission_request", request_id=f"r{item}", tool_name="rm") for item in range(150)]
    server.emit("agui-many", *started, *asked)
    log, narration = log_of(server.store, "agui-many"), Narration()
    began = time.thread_time()
    for one in log:
        narration.fold(one)
    assert time.thread_time() - began < 1
    assert len(narration.opening()) == number
    *_, last = (data for _, data in follow(server, "agui-many"))
    assert [one["id"] for one in last["outcome"]["interrupts"]] == [f"r{item}" for item in range(100)]

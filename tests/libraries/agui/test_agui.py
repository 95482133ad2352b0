"""The AG-UI dialect, as the official clients see it: the JavaScript client, and the models of the Python package."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from ag_ui.core import EventType
from ag_ui.core.events import Event
from ag_ui.core.types import RunAgentInput
from pydantic import TypeAdapter

from signalbox import open_task
from signalbox.store import NewEvent
from tests.support.server import Server

CLIENT = Path(__file__).parent / "client.mjs"
PACKAGES = Path(sys.prefix) / "node" / "node_modules"
EVENT: TypeAdapter[Any] = TypeAdapter(Event)


def drive(url: str, answer: Any = True) -> dict[str, Any]:
    """Run the JavaScript client to the end, and return what it has."""
    node = shutil.which("node")
    assert node, "these tests need Node.js 20 or newer"
    command = [node, str(CLIENT), str(PACKAGES), url, json.dumps(answer)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert result.returncode == 0, result.stderr
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def assistant_texts(found: dict[str, Any]) -> list[str]:
    return [one["content"] for one in found["messages"] if one["role"] == "assistant" and one.get("content")]


def agent_run(server: Server, task_id: str) -> None:
    """Emit a run with steps, a tool, a streamed answer of a model, and a permission request that it waits for."""
    with (
        open_task(server.store, task_id, title="Clean up", kind="agent-run") as task,
        task.phase("executing") as executing,
        executing.work_item("notes") as item,
    ):
        item.log("looking")
        with item.tool("find", {"path": "."}) as call:
            call.result(result=["a.txt"])
        with item.llm_call("small-1", [{"role": "user", "content": "What is old?"}]) as model:
            for piece in ("a.txt ", "is old"):
                model.piece(piece)
            model.answer("a.txt is old", usage={"input_tokens": 9, "output_tokens": 4})
        with item.tool("rm", {"path": "a.txt"}) as call:
            answer = call.ask_permission("rm", {"path": "a.txt"}, reason="Delete a.txt?", editable=["path"])
            call.result(result=answer.value)


@pytest.fixture(scope="module")
def server(shared_server: Server) -> Server:
    return shared_server


@pytest.fixture
def waiting(server: Server, request: pytest.FixtureRequest) -> Iterator[str]:
    """Start the run in a thread, and return its id. It ends when somebody answers."""
    task_id = request.node.name.replace("[", "-").replace("]", "")
    run = threading.Thread(target=agent_run, args=(server, task_id))
    run.start()
    yield task_id
    run.join(30)
    assert not run.is_alive()


def test_the_client_follows_a_run_and_answers_its_interrupt(server: Server, waiting: str) -> None:
    found = drive(f"{server.url}/api/agui/runs/{waiting}", {"approved": True, "value": {"path": "b.txt"}})
    assert found["errors"] == []
    (interrupt,) = found["interrupts"]
    assert (interrupt["message"], interrupt["metadata"]["toolName"]) == ("Delete a.txt?", "rm")
    assert assistant_texts(found) == ["looking\n", "a.txt is old"]
    calls = [call for message in found["messages"] for call in message.get("toolCalls", [])]
    assert [call["function"]["name"] for call in calls] == ["find", "rm"]
    results = {message["toolCallId"]: message["content"] for message in found["messages"] if message["role"] == "tool"}
    assert [results[call["id"]] for call in calls] == ['["a.txt"]', '{"path":"b.txt"}']
    assert (found["state"]["status"], found["state"]["workItems"]["done"]) == ("done", 2)
    assert found["seen"].count("RUN_STARTED") == found["seen"].count("RUN_FINISHED") == 2


def test_the_client_gets_the_reason_of_a_failure(server: Server) -> None:
    exit_event = NewEvent(event_type="runner_exit", payload={"exit_code": 3, "message": "no space left"})
    server.emit("failed", NewEvent(event_type="runner_spawn"), "hello", exit_event)
    found = drive(f"{server.url}/api/agui/runs/failed")
    assert "no space left" in found["errors"]
    assert assistant_texts(found) == ["hello\n"]


def test_the_client_starts_a_run_of_a_project(server: Server) -> None:
    command = [sys.executable, "-c", "print('started')"]
    server.store.people.add_project("shop", "The shop", agent={"kind": "command", "argv": command})
    found = drive(f"{server.url}/api/agui/projects/shop")
    assert (found["errors"], assistant_texts(found)) == ([], ["started\n"])


def test_every_event_is_valid_in_the_models_of_the_python_package(server: Server, waiting: str) -> None:
    url = f"{server.url}/api/agui/runs/{waiting}"
    resume = None
    kinds: set[EventType] = set()
    state: Any = {}
    for number in (1, 2):
        given = RunAgentInput(
            thread_id="t", run_id=f"r{number}", state=state, messages=[], tools=[], context=[], forwarded_props={},
            resume=resume,
        )  # fmt: skip
        with httpx.stream("POST", url, content=given.model_dump_json(by_alias=True), timeout=30) as response:
            response.raise_for_status()
            lines = [line[6:] for line in response.iter_lines() if line.startswith("data: ")]
        events = [EVENT.validate_json(line) for line in lines]
        for event, line in zip(events, lines, strict=True):
            assert not event.model_extra, f"{event.type} has unknown fields"
            assert json.loads(line) == json.loads(event.model_dump_json(by_alias=True))
        kinds |= {event.type for event in events}
        for event in events:
            if event.type == EventType.STATE_SNAPSHOT:
                state = event.snapshot
            elif event.type == EventType.STATE_DELTA:
                state |= {one.path[1:]: one.value for one in event.delta}
        last = events[-1]
        if last.outcome.type == "interrupt":
            resume = [{"interruptId": last.outcome.interrupts[0].id, "status": "cancelled"}]
    assert last.outcome.type == "success"
    assert {EventType.TOOL_CALL_RESULT, EventType.STEP_FINISHED, EventType.TEXT_MESSAGE_END, EventType.CUSTOM} <= kinds

"""The run dialect: projects, runs of their agents, and run streams, for clients that use no other route."""

from __future__ import annotations

import json
import random
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from signalbox.store import NewEvent
from tests.support.proxy import Proxy
from tests.support.run_client import RunClient
from tests.support.server import Server
from tests.support.sse import open_stream
from tests.support.upstream import Upstream
from tests.support.waiting import wait_until

COUNT = "import sys; [print(f'step {n}', flush=True) for n in range(3)]; sys.exit(int(sys.argv[1]))"

WAIT = "import signal, time; signal.signal(signal.SIGINT, signal.SIG_DFL); time.sleep(60)"


def command(code: str, *arguments: str, **settings: Any) -> dict[str, Any]:
    """Return the configuration of an agent that runs Python code."""
    return {"kind": "command", "argv": [sys.executable, "-c", code, *arguments], **settings}


def make_run(server: Server, project: str, run_id: str, *events: NewEvent | str) -> None:
    """Create a run with the log `events`, as if another client had started it."""
    if project not in {item["project_id"] for item in server.get("/api/v1/projects").json()["projects"]}:
        server.store.people.add_project(project, project.title())
    server.store.create_task(run_id, kind="agent", project_id=project)
    server.emit(run_id, *events)


def ended(word: str, **fields: Any) -> NewEvent:
    return NewEvent(event_type="status", payload={"status": word, **fields})


@pytest.fixture
def client(server: Server) -> Iterator[RunClient]:
    opened = RunClient(server.url)
    yield opened
    opened.http.close()


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    opened = Upstream()
    yield opened
    opened.shut()


def test_a_run_from_start_to_final_status(server: Server, client: RunClient) -> None:
    server.store.people.add_project("whole", "The whole", agent=command(COUNT, "0"))
    assert client.project("whole")["status"] == "READY"
    started = client.start("whole")
    run = started.json()
    assert (started.status_code, run["project_id"], run["status"]) == (201, "whole", "PENDING")
    seen = client.watch("whole", run["run_id"])
    assert (seen.lines, seen.last_status) == (["step 0", "step 1", "step 2"], "Task success")
    assert seen.connects == 1
    assert all(datetime.fromisoformat(when).tzinfo for when in seen.times)
    assert client.status("whole", run["run_id"]) == "DONE"
    assert client.project("whole")["status"] == "READY"
    assert client.project("whole") in client.get("/projects").json()["projects"]
    assert [item["run_id"] for item in client.get("/projects/whole/agent/runs").json()["runs"]] == [run["run_id"]]
    assert client.watch("whole", run["run_id"]).lines == seen.lines


def test_a_failed_run_states_the_reason(server: Server, client: RunClient) -> None:
    server.store.people.add_project("fails", "Fails", agent=command(COUNT, "3"))
    run = client.start("fails", run_id="fails-1", title="It fails").json()
    seen = client.watch("fails", "fails-1")
    assert seen.last_status.startswith("Task failed: ")
    assert "3" in seen.last_status
    shown = client.get("/projects/fails/agent/runs/fails-1").json()
    assert (run["title"], shown["status"], shown["exit_code"]) == ("It fails", "FAILED", 3)


@pytest.mark.parametrize(
    ("end", "last_word", "status"),
    [
        (ended("done"), "Task success", "DONE"),
        (ended("failed", message="no disk"), "Task failed: no disk", "FAILED"),
        (ended("failed"), "Task failed: no reason was given", "FAILED"),
        (NewEvent(event_type="runner_exit", payload={"exit_code": 4}), "Task failed: exit code 4", "FAILED"),
        (ended("cancelled"), "Task failed: cancelled", "FAILED"),
        (ended("interrupted", explanation="silent"), "Task failed: interrupted: silent", "FAILED"),
        (ended("failed", message="two\nlines"), "Task failed: two\nlines", "FAILED"),
    ],
)
def test_the_final_status_tells_how_the_run_ended(
    server: Server, client: RunClient, end: NewEvent, last_word: str, status: str, request: pytest.FixtureRequest
) -> None:
    run_id = f"end-{abs(hash(request.node.name))}"
    make_run(server, "ends", run_id, "one", end)
    assert client.watch("ends", run_id).last_status == last_word
    assert client.status("ends", run_id) == status


def test_a_second_start_returns_the_active_run(server: Server, client: RunClient) -> None:
    server.store.people.add_project("single", "Single", agent=command(WAIT))
    answers: list[httpx.Response] = []
    people = [threading.Thread(target=lambda: answers.append(RunClient(server.url).start("single"))) for _ in range(4)]
    for person in people:
        person.start()
    for person in people:
        person.join()
    assert sorted(response.status_code for response in answers) == [200, 200, 200, 201]
    (run_id,) = {response.json()["run_id"] for response in answers}
    assert (client.project("single")["status"], client.project("single")["run_id"]) == ("RUNNING", run_id)
    assert client.start("single", run_id=run_id).json()["run_id"] == run_id
    other = client.start("single", run_id="another")
    assert (other.status_code, run_id in other.json()["error"]["message"]) == (409, True)
    wait_until(lambda: client.status("single", run_id) == "RUNNING")
    assert client.cancel("single", run_id).status_code == 202
    assert client.watch("single", run_id).last_status.startswith("Task failed: cancelled")
    assert client.cancel("single", run_id).status_code == 409
    assert client.start("single", run_id=run_id).status_code == 200


def test_errors_name_the_unknown_project_run_or_field(server: Server, client: RunClient) -> None:
    make_run(server, "known", "known-1", "one")
    make_run(server, "neighbour", "neighbour-1", "one")
    for path in ("", "/agent/runs", "/agent/runs/x", "/agent/runs/x/stream"):
        unknown = client.get(f"/projects/nobody{path}")
        assert (unknown.status_code, unknown.json()["error"]["code"]) == (404, "unknown_project"), path
    assert client.start("nobody").status_code == 404
    for path in ("x", "x/stream", "neighbour-1", "neighbour-1/stream"):
        assert client.get(f"/projects/known/agent/runs/{path}").status_code == 404, path
    assert client.cancel("known", "neighbour-1").status_code == 404
    assert client.project("neighbour")["status"] == "RUNNING"
    server.emit("known-1", ended("done"))
    assert client.project("known")["status"] == "NO_AGENT"
    without = client.start("known")
    assert (without.status_code, "has no agent" in without.json()["error"]["message"]) == (409, True)
    assert client.start("known", run_id="a b").json()["error"]["field"] == "run_id"
    assert client.start("known", argv=["rm"]).json()["error"]["field"] == "argv"
    assert client.get("/projects/known/agent/runs?limit=0").json()["error"]["field"] == "limit"
    stream = f"{server.url}/api/v1/projects/known/agent/runs/known-1/stream"
    assert httpx.get(stream, headers={"Last-Event-ID": "x"}).status_code == 400


def test_only_commands_that_the_project_allows_are_started(server: Server, client: RunClient) -> None:
    allowed = {"good": {"argv": [sys.executable, "-c", "print('good')"]}, "bad": {"argv": ["/no/such/program"]}}
    server.store.people.add_project("named", "Named", agent={"kind": "command", "commands": allowed})
    run = client.start("named", command="good").json()
    assert client.watch("named", run["run_id"]).lines == ["good"]
    assert client.start("named", command="ugly").status_code == 409
    missing = client.start("named", command="bad")
    assert (missing.status_code, missing.json()["error"]["code"]) == (503, "agent_unavailable")


def test_messages_have_the_form_of_the_dialect(server: Server) -> None:
    relayed = NewEvent(event_type="log", payload={"message": "from far", "at": "2026-11-21T08:00:00+01:00"})
    hostile = "a\rb\r\nc\n\nid: 7\ndata: x"
    make_run(
        server, "form", "form-1", "one", hostile, relayed, NewEvent(event_type="phase_enter", phase="p"), ended("done")
    )
    with open_stream(f"{server.url}/api/v1/projects/form/agent/runs/form-1/stream") as stream:
        opening, *messages = list(stream)
    assert opening.comment == "open"
    assert [(message.event, message.id) for message in messages] == [
        ("log", "1"), ("log", "2"), ("log", "3"), ("status", "5")
    ]  # fmt: skip
    assert messages[1].data.partition(" ")[2] == "a\nb\nc\n\nid: 7\ndata: x"
    assert messages[2].data == "2026-11-21T08:00:00+01:00 from far"
    assert messages[3].data == "Task success"


def test_a_stream_resumes_and_repeats_its_final_status_after_the_end(server: Server) -> None:
    make_run(server, "again", "again-1", *(f"line {n}" for n in range(5)), ended("done"))
    url = f"{server.url}/api/v1/projects/again/agent/runs/again-1/stream"
    for last, expected in (("3", ["4", "5", "6"]), ("6", ["6"]), ("99", ["1", "2", "3", "4", "5", "6"])):
        with open_stream(url, headers={"Last-Event-ID": last}) as stream:
            assert [message.id for message in stream if message.id] == expected


def test_a_long_run_is_sent_on_one_connection(start_server: Callable[..., Server]) -> None:
    server = start_server(max_events_per_stream=10, keepalive_interval=0.2)
    make_run(server, "long", "long-1", *(f"line {n}" for n in range(2500)))
    client = RunClient(server.url)

    def caught_up() -> bool:
        streams = server.get("/sse/health").json()
        return (streams["streams"], streams["lag_p99"]) == (1, 0)

    def end() -> None:
        wait_until(caught_up)
        server.emit("long-1", "last", ended("done"))

    thread = threading.Thread(target=end)
    thread.start()
    seen = client.watch("long", "long-1")
    thread.join()
    assert seen.lines == [*(f"line {n}" for n in range(2500)), "last"]
    assert seen.connects == 1


def test_cuts_and_restarts_neither_lose_nor_repeat_a_line(start_server: Callable[..., Server], tmp_path: Path) -> None:
    server, rng, total = start_server(), random.Random(5), 200
    gate = tmp_path / "gate"
    code = f"""
import pathlib, time
for n in range({total}):
    print(f"line {{n}}", flush=True)
    if n == {total // 2}:
        while not pathlib.Path({str(gate)!r}).exists():
            time.sleep(0.02)
"""
    server.store.people.add_project("cuts", "Cuts", agent=command(code))
    proxy = Proxy(server.port)
    proxy.cut_after = lambda: rng.randint(500, 4000)
    client, seen = RunClient(proxy.url), []
    try:
        run_id = RunClient(server.url).start("cuts").json()["run_id"]
        watcher = threading.Thread(target=lambda: seen.append(client.watch("cuts", run_id)))
        watcher.start()
        wait_until(lambda: server.latest(run_id) > total // 2)
        server.kill()
        server.start()
        gate.touch()
        watcher.join(60)
        assert seen
        assert seen[0].lines == [f"line {n}" for n in range(total)]
        assert seen[0].last_status == "Task success"
        assert seen[0].connects > 2
    finally:
        gate.touch()
        proxy.close()


def test_an_unreachable_agent_is_503_until_it_returns(server: Server, upstream: Upstream) -> None:
    client, healthy = RunClient(server.url), "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}"
    upstream.respond = lambda connection: None if "/stream" in upstream.requests[connection] else healthy
    upstream.blocks = [f"id: {n}\nevent: log\ndata: 2026-11-21T08:00:0{n}Z line {n}" for n in range(1, 5)]
    address = upstream.url.removesuffix("/stream")
    server.store.people.add_project("far", "Far", agent={"kind": "upstream", "url": address})
    upstream.shut()
    assert client.project("far")["status"] == "UNAVAILABLE"
    refused = client.start("far")
    assert (refused.status_code, refused.json()["error"]["code"]) == (503, "agent_unavailable")
    assert int(refused.headers["Retry-After"]) > 0
    upstream.listen()
    wait_until(lambda: client.project("far")["status"] == "READY")
    run_id = client.start("far").json()["run_id"]
    stream = f"/projects/far/agent/runs/{run_id}/stream"
    wait_until(lambda: server.latest(run_id) >= 5)
    upstream.shut()
    wait_until(lambda: stream_status(server, stream) == 503)
    assert client.status("far", run_id) == "RUNNING"
    upstream.blocks.append("id: 9\nevent: status\ndata: Task success")
    upstream.listen()
    seen = client.watch("far", run_id)
    assert (seen.lines, seen.last_status) == ([f"line {n}" for n in range(1, 5)], "Task success")
    assert seen.times[0] == "2026-11-21T08:00:01Z"
    upstream.shut()
    assert stream_status(server, stream) == 200


def stream_status(server: Server, path: str) -> int:
    """Return the HTTP status of opening a stream."""
    with httpx.stream("GET", f"{server.url}/api/v1{path}") as response:
        return response.status_code


def test_openapi_lists_the_status_words(server: Server) -> None:
    document = json.dumps(server.get("/api/openapi.json").json())
    for word in ("READY", "UNAVAILABLE", "PENDING", "RUNNING", "DONE", "FAILED"):
        assert f'"{word}"' in document

"""The example agent server refactors a code base; its output is complete although servers are killed."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from signalbox.store import Event, open_store
from signalbox.store.sqlite import SqliteStore
from signalbox.webapp.agents import Agents
from signalbox.webapp.relay.position import mark_of
from tests.support.agent_server import SERVER, AgentServer
from tests.support.command import start
from tests.support.log import cancel, log_of, task_of, wait_for_event
from tests.support.server import Server
from tests.support.waiting import wait_until

CODEBASE = SERVER.parent / "codebase"


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[AgentServer]:
    server = AgentServer(tmp_path / "agent", pace=0.05).start()
    yield server
    server.kill()


def to_message(event: Event) -> tuple[str, str]:
    """Return the agent server's message from which `event` was made."""
    payload = event.payload
    if event.event_type == "log":
        return "log", f"{payload['at']} {payload['message']}"
    if event.event_type == "runner_exit":
        return "status", payload["message"]
    return event.event_type, json.dumps(payload)


def relayed_messages(store: SqliteStore, task_id: str) -> list[tuple[str, str]]:
    return [to_message(event) for event in log_of(store, task_id) if mark_of(event.key)]


def step(name: str) -> Callable[[Event], bool]:
    return lambda event: str(event.payload.get("message", "")).startswith(name)


@pytest.mark.long
def test_the_agent_server_refuses_invalid_requests(tmp_path: Path) -> None:
    server = AgentServer(tmp_path, AGENT_TOKEN="s3cret").start()
    try:
        with httpx.Client(base_url=server.url, headers={"Authorization": "Bearer s3cret"}) as client:
            assert httpx.get(f"{server.url}/health").status_code == 401
            assert client.get("/health").json()["status"] == "ok"
            assert client.get("/runs/nowhere/stream").status_code == 404
            for body in (b"", b"{}", b"[]", b'{"run_id": "../../x"}', b'{"run_id": ".."}'):
                assert client.post("/runs", content=body).status_code == 422
    finally:
        server.kill()


@pytest.mark.long
def test_a_run_completes_although_the_agent_server_is_killed(agent: AgentServer, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/signalbox.db"
    assert httpx.post(f"{agent.url}/runs", json={"run_id": "r1"}).status_code == 201
    assert httpx.post(f"{agent.url}/runs", json={"run_id": "r1"}).status_code == 200
    relay = start("relay", f"{agent.url}/runs/r1/stream", "--task", "t", "--store", url)
    for file in ("ledger/cli.py", "ledger/parser.py"):
        wait_for_event(url, "t", step(file), timeout=60)
        agent.kill()
        agent.start()
    out, _ = relay.communicate(timeout=120)
    assert (relay.returncode, out) == (0, "t done\n")
    store = open_store(url)
    assert relayed_messages(store, "t") == agent.messages("r1")
    store.close()
    assert_refactored(agent.folder / "r1" / "code")


def assert_refactored(result: Path) -> None:
    """Assert that all files exist, use current Python syntax, and pass their tests."""
    files = {path.relative_to(CODEBASE) for path in CODEBASE.rglob("*.py")}
    assert files == {path.relative_to(result) for path in result.rglob("*.py")}
    report = (result / "ledger" / "report.py").read_text()
    assert 'lines.append(f"{name!s:<28} {account.balance!s:>14}")' in report
    assert "depth: int | None = None" in report
    assert "Optional" not in report
    for code in (CODEBASE, result):
        tests = [sys.executable, "-B", "-m", "unittest", "discover", "-s", "tests", "-t", "."]
        assert subprocess.run(tests, cwd=code, capture_output=True).returncode == 0


@pytest.mark.long
def test_a_run_completes_although_signalbox_and_the_agent_server_are_killed(agent: AgentServer, tmp_path: Path) -> None:
    server = Server(tmp_path)
    try:
        server.store.people.add_project("p", "P", agent={"kind": "upstream", "url": agent.url})
        # A run that was requested just before the server died.
        server.store.create_task("r1", kind="agent", project_id="p", metadata={"agent": "upstream"})
        server.start()
        wait_for_event(server.store_url, "r1", step("ledger/cli.py"), timeout=60)
        server.kill()
        agent.kill()
        server.start()
        agent.start()
        wait_for_event(server.store_url, "r1", step("ledger/parser.py"), timeout=60)
        server.kill()
        server.start()
        wait_for_event(server.store_url, "r1", lambda event: event.event_type == "runner_exit", timeout=60)
        assert relayed_messages(server.store, "r1") == agent.messages("r1")
        assert task_of(server.store, "r1").status == "done"
    finally:
        server.close()


@pytest.mark.long
async def test_a_cancel_stops_the_agent(agent: AgentServer, tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path}/signalbox.db")
    project = store.people.add_project("p", "P", agent={"kind": "upstream", "url": agent.url})
    agents = Agents(store)
    await agents.start(project, "r1")
    await asyncio.to_thread(wait_for_event, store.url, "r1", step("ledger/__init__.py"), timeout=60)
    cancel(store, "r1", "ann")
    await asyncio.to_thread(wait_for_event, store.url, "r1", lambda e: e.event_type == "runner_exit", timeout=60)
    async with store.read() as view:
        assert (await view.task("r1")).status == "cancelled"
    await asyncio.to_thread(wait_until, lambda: agent.messages("r1")[-1] == ("status", "Task cancelled"), 60)
    await agents.stop()
    await store.aclose()


@pytest.mark.long
def test_a_half_written_step_is_never_sent(agent: AgentServer) -> None:
    httpx.post(f"{agent.url}/runs", json={"run_id": "r1"})
    log = agent.folder / "r1" / "log.ndjson"
    with httpx.stream("GET", f"{agent.url}/runs/r1/stream") as stream:
        next(line for line in stream.iter_lines() if "ledger/account.py" in line)
        agent.kill()
    lines = log.read_text().splitlines()
    with log.open("a") as file:
        file.write('["log", "of a step that goes on", false]\n["log", "torn')
    agent.start()
    with httpx.stream("GET", f"{agent.url}/runs/r1/stream", timeout=60) as stream:
        assert any("ledger/budget.py" in line for line in stream.iter_lines())
    assert log.read_text().splitlines()[: len(lines)] == lines
    assert "goes on" not in log.read_text()

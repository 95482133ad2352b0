"""Agents of a project: starting its commands, their limits, and agents that cannot be used."""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from signalbox.store import Conflict, InvalidEvent, open_store
from signalbox.store.sqlite import SqliteStore
from signalbox.store.state import Task
from signalbox.webapp.agents import Agents, AgentUnavailable, adoption, agent_of, agent_runs
from signalbox.webapp.process import detached_run
from tests.support.agents import lines_of, project, wait_for_task, wait_until_ended
from tests.support.log import cancel, wait_for_event
from tests.support.server import Server

CLOSED = "http://127.0.0.1:9"
COMMAND = {"agent": "command"}


@pytest.fixture
async def agents(store: SqliteStore) -> AsyncIterator[Agents]:
    opened = Agents(store)
    yield opened
    await opened.stop()


def python(code: str, **settings: Any) -> dict[str, Any]:
    return {"kind": "command", "argv": [sys.executable, "-u", "-c", code], **settings}


async def test_a_command_runs_with_the_directory_and_environment_of_its_project(
    store: SqliteStore, agents: Agents, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SIGNALBOX_SECRET", "s3cret")
    code = "import os; print(os.getcwd(), os.environ['WHAT'], os.environ.get('SIGNALBOX_SECRET'), sep='\\n')"
    our_project = project(store, python(code, cwd=str(tmp_path), env={"WHAT": "ever"}))
    assert await agents.available(our_project)
    started, new = await agents.start(our_project, "r1")
    assert (started.task_id, started.kind, started.project_id, new) == ("r1", "agent", "p", True)
    assert (await wait_until_ended(store, "r1")).status == "done"
    assert await lines_of(store, "r1") == [str(tmp_path), "ever", "None"]


async def test_a_second_start_with_the_same_run_id_returns_the_existing_run(store: SqliteStore, agents: Agents) -> None:
    our_project = project(store, python("print('once')"))
    await agents.start(our_project, "r1")
    again, new = await agents.start(our_project, "r1")
    assert (again.task_id, new) == ("r1", False)
    await wait_until_ended(store, "r1")
    assert await lines_of(store, "r1") == ["once"]
    with pytest.raises(Conflict):
        await agents.start(project(store, python(""), "other"), "r1")


@pytest.mark.long
async def test_only_commands_that_the_project_allows_are_started(store: SqliteStore, agents: Agents) -> None:
    commands = {"greet": {"argv": ["echo", "hello"]}, "part": {"argv": ["echo", "goodbye"]}}
    our_project = project(store, {"kind": "command", "commands": commands})
    with pytest.raises(Conflict, match="the project has no command 'rm -rf'; it has greet, part"):
        await agents.start(our_project, command="rm -rf")
    for name, line in ((None, "hello"), ("part", "goodbye")):
        task, new = await agents.start(our_project, command=name)
        await wait_until_ended(store, task.task_id)
        assert (new, await lines_of(store, task.task_id)) == (True, [line])


async def test_concurrent_starts_in_two_processes_start_one_run(
    store: SqliteStore, agents: Agents, tmp_path: Path
) -> None:
    other_store = open_store(store.url)
    others = Agents(other_store)
    our_project = project(store, python("print('once')"))
    starts = await asyncio.gather(*(each.start(our_project) for each in (agents, others) * 4))
    assert [new for _, new in starts].count(True) == 1
    (run_id,) = {task.task_id for task, _ in starts}
    with pytest.raises(Conflict, match=f"the run '{run_id}' is active"):
        await others.start(our_project, "another")
    await wait_until_ended(store, run_id)
    assert await lines_of(store, run_id) == ["once"]
    await others.stop()
    await other_store.aclose()


async def test_a_command_that_exceeds_its_time_limit_fails(store: SqliteStore, agents: Agents) -> None:
    await agents.start(project(store, python("import time; time.sleep(60)", time_limit=0.5)), "r1")
    task = await wait_until_ended(store, "r1")
    assert (task.status, task.error) == ("failed", "stopped after its time limit of 0.5 s")


async def test_a_cancel_stops_a_command(store: SqliteStore, agents: Agents) -> None:
    await agents.start(project(store, python("import time; print('here'); time.sleep(60)")), "r1")
    await wait_for_task(store, "r1", lambda task: task.latest_seq >= 2)
    cancel(store, "r1", "ann")
    assert (await wait_until_ended(store, "r1")).status == "cancelled"


async def test_a_command_continues_after_the_agents_object_that_started_it_is_closed(
    store: SqliteStore, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    code = f"import os, time\nprint('one')\nwhile not os.path.exists({str(gate)!r}): time.sleep(0.02)\nprint('two')"
    first = Agents(store)
    await first.start(project(store, python(code)), "r1")
    await wait_for_task(store, "r1", lambda task: task.latest_seq >= 2)
    await first.stop()
    gate.touch()
    assert (await wait_until_ended(store, "r1")).status == "done"
    assert await lines_of(store, "r1") == ["one", "two"]


@pytest.mark.long
def test_a_command_survives_when_its_server_is_killed(start_server: Callable[..., Server], tmp_path: Path) -> None:
    gate, server = tmp_path / "gate", start_server()
    code = f"import os, time\nprint('one')\nwhile not os.path.exists({str(gate)!r}): time.sleep(0.02)\nprint('two')"
    project(server.store, python(code))
    assert server.post("/api/v1/projects/p/agent/runs", {"run_id": "r1"}).status_code == 201
    wait_for_event(server.store_url, "r1", lambda event: event.payload.get("message") == "one", timeout=60)
    server.kill()
    gate.touch()
    wait_for_event(server.store_url, "r1", lambda event: event.event_type == "runner_exit", timeout=60)
    server.start()
    assert server.get("/api/v1/projects/p/agent/runs/r1").json()["status"] == "DONE"
    events = server.get("/api/tasks/r1/events").json()["events"]
    assert [event["payload"]["message"] for event in events if event["event_type"] == "log"] == ["one", "two"]


@pytest.mark.parametrize(
    ("agent", "reason"),
    [
        (
            {"kind": "command", "argv": ["no-such-command-here"]},
            "there is no command no-such-command-here here",
        ),
        ({"kind": "command", "argv": ["true"], "cwd": "/no/such/place"}, "the directory /no/such/place is gone"),
        ({"kind": "upstream", "url": CLOSED}, "does not answer"),
        ({"kind": "upstream", "url": CLOSED, "token_env": "NOBODY_SET_THIS"}, "NOBODY_SET_THIS, which holds"),
    ],
)
async def test_an_unavailable_agent_starts_nothing(
    store: SqliteStore, agents: Agents, agent: dict[str, Any], reason: str
) -> None:
    our_project = project(store, agent)
    assert not await agents.available(our_project)
    with pytest.raises(AgentUnavailable, match=re.escape(reason)):
        await agents.check(our_project)
    with pytest.raises(AgentUnavailable, match=re.escape(reason)):
        await agents.start(our_project, "r1")
    assert await store.people.project_of("r1") is None


async def test_a_project_without_an_agent_starts_nothing(store: SqliteStore, agents: Agents) -> None:
    our_project = project(store, None)
    assert not await agents.available(our_project)
    with pytest.raises(Conflict, match="has no agent"):
        await agents.start(our_project)


async def test_an_invalid_agent_in_the_database_is_reported_with_its_project(
    store: SqliteStore, agents: Agents
) -> None:
    our_project = project(store, {"kind": "of an older Signalbox"})
    assert not await agents.available(our_project)
    with pytest.raises(Conflict, match="the project 'p' has an agent that cannot be used: agent: Invalid value"):
        await agents.start(our_project)


async def test_a_run_that_was_queued_but_never_started_is_marked_failed(
    store: SqliteStore, agents: Agents, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(adoption, "OWN_SECONDS", 0.0)
    monkeypatch.setattr(agent_runs, "START_SECONDS", 0.1)
    project(store, python(""))
    store.create_task("r1", kind="agent", project_id="p", metadata=COMMAND)
    agents.resume()
    task = await wait_until_ended(store, "r1")
    assert (task.status, task.error) == ("failed", "the server stopped before the command was started")


@pytest.mark.long
@pytest.mark.parametrize("is_same_process", [True, False])
async def test_a_run_that_is_being_started_is_followed_by_its_own_process_alone(
    store: SqliteStore, agents: Agents, monkeypatch: pytest.MonkeyPatch, is_same_process: bool
) -> None:
    searched = asyncio.Event()

    async def search(unfinished: list[Task]) -> None:
        await adopt(unfinished)
        searched.set()

    async def start_late(*given: Any) -> None:
        for _ in range(3):
            searched.clear()
            await searched.wait()
        await start_command(*given)

    others = agents if is_same_process else Agents(store)
    adopt, start_command = others._adopt, agents._start_command
    monkeypatch.setattr(others, "_adopt", search)
    monkeypatch.setattr(agents, "_start_command", start_late)
    monkeypatch.setattr(adoption, "SCAN_SECONDS", 0.005)
    monkeypatch.setattr(agent_runs, "START_SECONDS", 0.0)
    # Another active run, so that each search finds one.
    store.create_task("active", kind="agent", project_id=project(store, None, "other").project_id)
    others.resume()
    await agents.start(project(store, python("print('once')")), "r1")
    assert (await wait_until_ended(store, "r1")).status == "done"
    await agents.stop()
    await others.stop()
    assert [task for task in asyncio.all_tasks() if task.get_name().startswith("signalbox-agent")] == []


async def test_stopping_ends_all_agent_tasks_whatever_their_run_ids(store: SqliteStore, agents: Agents) -> None:
    our_project = project(store, python("print('once')"))
    store.create_task("queued", kind="agent", project_id=project(store, None, "other").project_id, metadata=COMMAND)
    agents.resume()
    await agents.start(our_project, "resume")
    await wait_until_ended(store, "resume")
    await agents.stop()
    assert [task for task in asyncio.all_tasks() if task.get_name().startswith("signalbox-agent")] == []


@pytest.mark.parametrize(
    ("config", "words"),
    [
        (None, "Expected `object`, got `null`"),
        ({}, "missing required field `kind`"),
        ({"kind": "magic"}, "Invalid value 'magic'"),
        ({"kind": "upstream"}, "missing required field `url`"),
        ({"kind": "upstream", "url": "somewhere"}, "url must look like"),
        ({"kind": "upstream", "url": CLOSED, "token": "x"}, "unknown field `token`"),
        ({"kind": "command"}, "argv must be a list of words"),
        ({"kind": "command", "argv": "make all"}, "Expected `array`, got `str`"),
        ({"kind": "command", "argv": ["make"], "time_limit": 0}, "time_limit must be over 0"),
        ({"kind": "command", "argv": ["make"], "env": {"A=B": "x"}}, "env: "),
        ({"kind": "command", "commands": {"a": {"argv": []}}}, "argv of 'a' must be a list"),
        ({"kind": "command", "argv": ["x"], "commands": {"a": {"argv": ["y"]}}}, "belong into each of the commands"),
    ],
)
def test_an_invalid_agent_configuration_is_refused_with_the_reason(config: Any, words: str) -> None:
    with pytest.raises(InvalidEvent, match=re.escape(words)) as caught:
        agent_of(config)
    assert caught.value.field == "agent"


@pytest.mark.long
async def test_a_command_that_never_starts_fails(
    store: SqliteStore, agents: Agents, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(detached_run, "absolute", lambda url: "sqlite:////no/such/place/signalbox.db")
    await agents.start(project(store, python("")), "r1")
    task = await wait_until_ended(store, "r1")
    assert (task.status, task.error) == ("failed", "it ended with exit code 2 before it started; see the server's log")

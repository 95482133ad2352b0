"""Commands, relays, agent runs and retries leave a later task with the id of their task alone."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from signalbox.store import NewEvent, UnknownTask, Who, open_task
from signalbox.store.emitter import AsyncEmitter, Emitter
from signalbox.store.identity import reference_to
from signalbox.store.log import Log, link_retry
from signalbox.store.remote import RemoteLog
from signalbox.store.sqlite import SqliteStore
from signalbox.webapp.agents import Agents
from signalbox.webapp.process import detached_run
from tests.support.agents import project, wait_for_task
from tests.support.command import signalbox, start
from tests.support.log import log_of, task_of, wait_for_event
from tests.support.relay import LINES, numbered, plain
from tests.support.server import Server
from tests.support.upstream import Upstream
from tests.support.waiting import wait_until

EMPTY_OK = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
BUSY = "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\nRetry-After: 0\r\nConnection: close\r\n\r\n"
EMIT = f'{sys.executable} -m signalbox emit "$SIGNALBOX_TASK" log --payload \'{{"message":"nested"}}\''
LINK = NewEvent(event_type="log", payload={"message": "successor"})


def replace(store: SqliteStore, task_id: str) -> None:
    """Delete the task, and create another one with its id that has one line."""
    store.delete_task(task_id)
    store.append(task_id, LINK)


def messages(store: SqliteStore, task_id: str = "t") -> list[object]:
    return [event.payload.get("message") or event.event_type for event in log_of(store, task_id)]


@pytest.fixture(params=["store", "remote"])
def log(request: pytest.FixtureRequest, server: Server) -> Iterator[Log]:
    if request.param == "store":
        yield server.store
        return
    remote = RemoteLog(server.url)
    yield remote
    remote.close()


@pytest.mark.parametrize("target", ["store", "server"])
def test_a_command_and_its_emitters_leave_the_later_task_alone(
    start_server: Callable[..., Server], tmp_path: Path, target: str
) -> None:
    server = start_server()
    options = ("--server", server.url) if target == "server" else ("--store", server.store_url)
    steps = f'echo before; while [ ! -e go ]; do sleep 0.05; done; {EMIT}; echo "emit: $?"; echo late'
    running = start("run", *options, "--task", "t", "--heartbeat", "0.1", "--", "sh", "-c", f"cd {tmp_path}; {steps}")
    wait_for_event(server.store_url, "t", lambda event: event.payload.get("message") == "before", timeout=60)
    replace(server.store, "t")
    (tmp_path / "go").touch()
    stdout, stderr = running.communicate(timeout=60)
    assert (running.returncode, "late" in stdout, "emit: 0" in stdout) == (0, True, False)
    assert "output is not recorded any more: the task t was deleted" in stderr
    assert messages(server.store) == ["successor"]


def test_an_event_for_a_deleted_task_creates_none_in_a_project(server: Server) -> None:
    task, _ = server.store.create_task("for-deleted")
    server.store.delete_task("for-deleted")
    for target in (("--store", server.store_url), ("--server", server.url)):
        done = signalbox("emit", reference_to(task), "log", *target, SIGNALBOX_PROJECT="default")
        assert done.returncode == 1, done.stderr
        assert "for-deleted" in done.stderr
        with pytest.raises(UnknownTask):
            task_of(server.store, "for-deleted")


def test_commands_take_a_reference_to_one_task(url: str, store: SqliteStore) -> None:
    task, _ = store.create_task("t")
    asked = NewEvent(event_type="permission_request", payload={"request_id": "r1", "tool_name": "rm"})
    reference = reference_to(task)
    commands = (
        ("emit", reference, "log"),
        ("answer", reference, "--approve"),
        ("tail", reference, "--json"),
        ("run", "--task", reference, "--", "true"),
        ("run", "--retry-of", reference, "--", "true"),
        ("relay", "http://127.0.0.1:9/", "--task", reference),
    )
    store.append("t", asked)
    for command in commands[:2]:
        assert signalbox(*command[:2], "--store", url, *command[2:]).returncode == 0
    store.delete_task("t")
    store.append("t", [asked, NewEvent(event_type="runner_exit", payload={"exit_code": 0})])
    before = messages(store)
    for command in commands:
        name, *rest = command
        done = signalbox(name, "--store", url, *rest)
        assert done.returncode in (1, 2), command
        assert "was deleted, and another task has its id now" in done.stderr, command
    assert messages(store) == before
    assert "identity" in signalbox("emit", "t@", "log", "--store", url).stderr


def test_another_log_may_have_the_id_of_the_runs_task(url: str, store: SqliteStore, tmp_path: Path) -> None:
    other = f"sqlite:///{tmp_path}/other.db"
    variables = {"SIGNALBOX_STORE_URL": url, "SIGNALBOX_TASK": "t", "SIGNALBOX_TASK_IDENTITY": "0123456789abcdef"}
    assert signalbox("emit", "t", "log", **variables).returncode == 1
    assert signalbox("emit", "t", "log", "--store", other, **variables).returncode == 0
    assert signalbox("emit", "other", "log", **variables).returncode == 0


def test_an_emitter_with_an_identity_writes_to_no_other_task(log: Log, server: Server) -> None:
    task, _ = server.store.create_task("emits")
    emitter = Emitter(log, identity=task.identity)
    assert emitter.emit_log("emits", None, "mine").seq == 1
    with open_task(log, "emits", identity=task.identity) as run:
        run.log("from the run")
    replace(server.store, "emits")
    assert emitter.emit_log("emits", None, "late").seq == 0
    with open_task(log, "emits", identity=task.identity) as run:
        assert run.log("late").seq == 0
    with pytest.raises(UnknownTask):
        open_task(log, "emits", identity=task.identity, strict=True).__enter__()
    assert asyncio.run(AsyncEmitter(log, identity=task.identity).emit_log("emits", None, "late")).seq == 0
    assert messages(server.store, "emits") == ["successor"]
    server.store.delete_task("emits")
    with open_task(log, "emits", identity=task.identity):
        pass
    assert server.get("/api/tasks/emits").status_code == 404


def test_a_relay_leaves_the_later_task_alone(url: str, store: SqliteStore) -> None:
    upstream, replaced = Upstream(numbered(plain(LINES))), asyncio.Event()
    upstream.cut_after_blocks = lambda connection: 10 if connection == 0 else None
    upstream.respond = lambda connection: BUSY if connection and not replaced.is_set() else None
    running = start("relay", upstream.url, "--task", "t", "--store", url, "--heartbeat", "0.1")
    wait_for_event(url, "t", lambda event: event.payload.get("message") == "line 10", timeout=60)
    replace(store, "t")
    replaced.set()
    _, stderr = running.communicate(timeout=60)
    assert running.returncode == 1
    assert "was deleted" in stderr
    assert messages(store) == ["successor"]


@pytest.mark.parametrize("when", ["while the run is relayed", "before the relay begins"])
async def test_an_agent_run_leaves_the_later_task_alone(store: SqliteStore, when: str) -> None:
    upstream, replaced = Upstream(numbered(plain(LINES))), asyncio.Event()
    upstream.cut_after_blocks = lambda connection: 10 if connection < 3 else None
    blocked: list[int] = []

    def respond(connection: int) -> str | None:
        path = upstream.requests[connection].split()[1]
        if path == "/runs" and when == "before the relay begins" and not replaced.is_set():
            blocked.append(connection)
            return BUSY
        if not path.endswith("/stream"):
            return EMPTY_OK
        if connection > 2 and not replaced.is_set():
            blocked.append(connection)
            return BUSY
        return None

    upstream.respond = respond
    agents = Agents(store)
    agent = {"kind": "upstream", "url": upstream.url.removesuffix("/stream")}
    await agents.start(project(store, agent), "t")
    if when == "while the run is relayed":
        await wait_for_task(store, "t", lambda task: task.latest_seq >= 10)
    await asyncio.to_thread(wait_until, lambda: blocked)
    await store.adelete_task("t", actor=None)
    await store.aappend("t", LINK)
    replaced.set()
    async with asyncio.timeout(60):
        await asyncio.gather(*agents._jobs.values())
    await agents.stop()
    assert await asyncio.to_thread(messages, store) == ["successor"]


async def test_a_retry_is_not_linked_to_the_later_task(log: Log, server: Server) -> None:
    store = server.store
    task, _ = store.create_task("retried")
    await store.adelete_task("retried", actor=None)
    await store.aappend("retried", [LINK, NewEvent(event_type="runner_exit", payload={"exit_code": 1})])
    with pytest.raises(UnknownTask):
        await link_retry(log, task, "again", Who("ann"), "command")
    assert await asyncio.to_thread(messages, store, "retried") == ["successor", "runner_exit"]


async def test_a_run_that_did_not_start_does_not_end_the_later_task(store: SqliteStore) -> None:
    task, _ = store.create_task("t")
    await store.adelete_task("t", actor=None)
    await store.acreate_task("t")
    await detached_run.mark_not_started(store, task, "it could not be started")
    async with store.read() as view:
        assert (await view.task("t")).status == "queued"

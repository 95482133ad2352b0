"""Test runs whose server goes away: they never wait, and every event arrives once, in order, and later."""

from __future__ import annotations

import asyncio
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from signalbox.store import NewEvent, NotAllowed, StoreUnavailable, UnknownTask, open_task
from signalbox.store.remote import delivery, spooled
from signalbox.store.remote.spooled import SpooledLog
from signalbox.store.spool import sender
from signalbox.store.spool.place import BYTES_VARIABLE, FOLDER_VARIABLE
from signalbox.store.spool.sender import ServerFault
from tests.support.chaos import Chaos
from tests.support.command import signalbox
from tests.support.log import log_of, task_of, types_of, wait_for_event
from tests.support.proxy import Proxy
from tests.support.server import Server
from tests.support.waiting import wait_until


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of all spools of the test."""
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path / "spools"))
    monkeypatch.setattr(sender, "MAX_PAUSE_S", 0.2)
    return tmp_path / "spools"


@pytest.fixture
def proxy(shared_server: Server) -> Iterator[Proxy]:
    started = Proxy(shared_server.port)
    yield started
    started.close()


@pytest.fixture
def server(shared_server: Server) -> Server:
    return shared_server


@pytest.fixture
def notices() -> list[str]:
    """The lines for people at the terminal."""
    return []


@pytest.fixture
def log(folder: Path, proxy: Proxy, notices: list[str]) -> Iterator[SpooledLog]:
    opened = SpooledLog(proxy.url, patience=1)
    opened.set_notice(notices.append)
    yield opened
    opened.close()


@pytest.fixture
def task(request: pytest.FixtureRequest) -> str:
    """An id of a task that no other test uses."""
    return re.sub(r"[^a-z0-9_]+", "-", request.node.name)[:100]


def line(text: object, **fields: Any) -> NewEvent:
    return NewEvent(event_type="log", payload={"message": str(text)}, **fields)


def lines_of(server: Server, task_id: str) -> list[str]:
    events = log_of(server.store, task_id)
    return [event.payload["message"] for event in events if event.event_type == "log"]


def sent(log: SpooledLog) -> None:
    wait_until(lambda: not log.spool.in_use())


def test_a_run_goes_on_while_the_server_is_away(
    server: Server, proxy: Proxy, log: SpooledLog, task: str, notices: list[str]
) -> None:
    with open_task(log, task) as run:
        assert run.log("before").seq > 0
        proxy.shut()
        began = time.monotonic()
        first = run.log("away 0")
        for number in range(1, 300):
            run.log(f"away {number}")
        assert time.monotonic() - began < 60, "each of 300 events waited for the server"
        assert (first.seq, first.event_id, first.payload) == (0, 0, {"message": "away 0"})
        at = first.created_at
        proxy.listen()
        sent(log)
        assert run.log("after").seq > 0
    events = log_of(server.store, task)
    expected = ["before", *(f"away {number}" for number in range(300)), "after"]
    assert lines_of(server, task) == expected
    assert types_of(server.store, task)[-1] == "runner_exit"
    kept = next(event for event in events if event.payload.get("message") == "away 0")
    assert kept.happened_at <= at < kept.created_at
    assert [text.partition("cannot be reached")[0] for text in notices] == [
        f"the server {proxy.url} ",
        "the server answers again",
    ]
    assert notices[0].endswith("; output is kept on disk and sent later")


def test_a_run_can_begin_and_end_while_the_server_is_away(
    server: Server, proxy: Proxy, log: SpooledLog, task: str
) -> None:
    proxy.shut()
    with open_task(log, task, title="Away", kind="build", tags={"branch": "main"}) as run, run.phase("only"):
        run.log("inside")
        run.artifact(b"content", "file.txt")
    proxy.listen()
    sent(log)
    state = task_of(server.store, task)
    assert (state.title, state.kind, state.status, state.tags) == ("Away", "build", "done", {"branch": "main"})
    types = ["runner_spawn", "phase_enter", "log", "artifact_stored", "phase_exit", "runner_exit"]
    assert types_of(server.store, task) == types


def test_an_event_whose_answer_was_lost_is_stored_once(
    server: Server, proxy: Proxy, log: SpooledLog, task: str
) -> None:
    log.append(task, line("one"))
    proxy.cut_after = lambda: 0
    proxy.cut()
    assert [event.seq for event in log.append(task, [line("two"), line("three")])] == [0, 0]
    log.append(task, line("four"))
    wait_until(lambda: lines_of(server, task) == ["one", "two", "three", "four"])
    assert log.spool.in_use()
    proxy.cut_after = lambda: None
    proxy.cut()
    sent(log)
    assert lines_of(server, task) == ["one", "two", "three", "four"]


def test_a_server_that_does_not_answer_delays_one_append_only(
    server: Server, proxy: Proxy, log: SpooledLog, task: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spooled, "APPEND_TIMEOUT_S", 0.3)
    proxy.stall()
    began = time.monotonic()
    for number in range(50):
        log.append(task, line(number))
    assert time.monotonic() - began < 50 * 0.3 - 1, "each event waited for the server"
    proxy.heal()
    sent(log)
    assert lines_of(server, task) == [str(number) for number in range(50)]


@pytest.mark.long
def test_the_next_process_sends_what_a_killed_one_left(server: Server, proxy: Proxy, folder: Path, task: str) -> None:
    proxy.shut()
    code = (
        "import sys, os, signal; from signalbox import open_store, open_task\n"
        "run = open_task(open_store(sys.argv[1]), sys.argv[2]).__enter__()\n"
        "for n in range(20): run.log(str(n))\n"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    killed = subprocess.run([sys.executable, "-c", code, proxy.url, task], stderr=subprocess.DEVNULL, check=False)
    assert killed.returncode == -signal.SIGKILL
    proxy.listen()
    following = SpooledLog(proxy.url)
    # An append of another task waits behind the earlier ones, which a thread sends.
    following.append(f"{task}-next", line("next"))
    sent(following)
    following.close()
    assert lines_of(server, task) == [str(number) for number in range(20)]
    assert lines_of(server, f"{task}-next") == ["next"]


@pytest.mark.long
def test_processes_share_a_spool_and_each_keeps_its_order(
    server: Server, proxy: Proxy, folder: Path, task: str
) -> None:
    proxy.shut()
    code = (
        "import sys, time; from signalbox import open_store, NewEvent\n"
        "store = open_store(sys.argv[1])\n"
        "for n in range(100):\n"
        "    payload = {'message': f'{sys.argv[3]} {n}'}\n"
        "    store.append(sys.argv[2], NewEvent(event_type='log', payload=payload))\n"
        "print('kept', flush=True); sys.stdin.read(); store.close()"
    )
    options: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    running = [
        subprocess.Popen([sys.executable, "-c", code, proxy.url, task, name], text=True, **options)
        for name in ("a", "b")
    ]
    for process in running:
        assert process.stdout is not None
        assert process.stdout.readline() == "kept\n"
    proxy.listen()
    # The process that sends may die: another one takes over.
    running[0].kill()
    wait_until(lambda: len(lines_of(server, task)) == 200)
    for process in running:
        process.communicate()
    found = lines_of(server, task)
    assert sorted(found) == sorted(f"{name} {number}" for name in "ab" for number in range(100))
    for name in "ab":
        assert [one for one in found if one.startswith(name)] == [f"{name} {number}" for number in range(100)]


def test_refused_events_are_set_aside_and_the_others_arrive(
    server: Server, proxy: Proxy, log: SpooledLog, task: str, notices: list[str]
) -> None:
    gone, _ = log.create_task(f"{task}-gone")
    proxy.shut()
    log.append(gone.task_id, line("too late"), identity=gone.identity)
    log.append(task, [line("good"), line("bad", key="retry:1"), line("good too")])
    server.store.delete_task(gone.task_id)
    proxy.listen()
    sent(log)
    assert lines_of(server, task) == ["good", "good too"]
    assert log.spool.file is not None
    refused = log.spool.file.contents().refused
    assert sorted(refused.values()) == [1, 1]
    assert any("key must not begin with" in reason for reason in refused)
    assert sum("the server refuses 1 event" in text for text in notices) == 2


def test_an_event_on_which_the_server_fails_does_not_block_the_others(
    server: Server, proxy: Proxy, log: SpooledLog, task: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail_on_poison(connection: Any, records: Any) -> None:
        if any(b"poison" in record.body for record in records):
            raise ServerFault("the server answered 500", 0)
        send_records(connection, records)

    send_records = delivery.send_records
    monkeypatch.setattr(spooled, "send_records", fail_on_poison)
    proxy.shut()
    for text in ("one", "poison", "two"):
        log.append(task, line(text))
    log.append(f"{task}-other", line("other"))
    proxy.listen()
    sent(log)
    assert lines_of(server, task) == ["one", "two"]
    assert lines_of(server, f"{task}-other") == ["other"]
    assert log.spool.file is not None
    assert log.spool.file.contents().refused == {"the server answered 500": 1}


def test_a_server_that_fails_on_everything_loses_nothing(
    server: Server, proxy: Proxy, log: SpooledLog, task: str
) -> None:
    proxy.shut()
    log.append(task, line("one"))
    proxy.respond("500 Internal Server Error", body='{"error": {"code": "error", "message": "oh"}}')
    proxy.listen()
    wait_until(lambda: len(proxy.requests) > 2 * sender.MAX_FAULTS)
    proxy.heal()
    sent(log)
    assert lines_of(server, task) == ["one"]


@pytest.mark.parametrize("status", ["502 Bad Gateway", "403 Forbidden", "404 Not Found", "200 OK"])
def test_an_answer_of_a_proxy_loses_nothing(
    server: Server, proxy: Proxy, log: SpooledLog, task: str, status: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery, "FOREIGN_PAUSE_S", 0.05)
    proxy.shut()
    log.append(task, line("one"))
    proxy.respond(status)
    proxy.listen()
    wait_until(lambda: proxy.requests)
    log.append(task, line("two"))
    assert log.spool.in_use()
    proxy.heal()
    log.spool.flush(10, 10)
    assert lines_of(server, task) == ["one", "two"]


def test_a_question_asked_while_the_server_is_away_is_answered_later(
    server: Server, proxy: Proxy, log: SpooledLog, task: str
) -> None:
    # An earlier run of the task was asked to stop. That does not concern this run, whose log begins later.
    server.emit(task, NewEvent(event_type="runner_spawn"), NewEvent(event_type="cancel_requested", actor="user"))
    server.emit(task, NewEvent(event_type="runner_exit", payload={"exit_code": 0}))
    proxy.shut()
    with open_task(log, task) as run:

        def answer() -> None:
            proxy.listen()
            asked = wait_for_event(server.store_url, task, lambda event: event.event_type == "permission_request")
            path = f"/api/tasks/{task}/permissions/{asked.payload['request_id']}"
            assert server.post(path, json={"approved": True}).status_code == 201

        with ThreadPoolExecutor() as people:
            people.submit(answer)
            assert run.ask_permission("deploy").approved
        assert not run.cancelled


async def test_calls_that_wait_for_the_server_do_not_delay_appends(proxy: Proxy, log: SpooledLog, task: str) -> None:
    proxy.shut()
    patient = SpooledLog(proxy.url, patience=60)
    waiting = [asyncio.create_task(patient.atask("any")) for _ in range(8)]
    await asyncio.sleep(0)
    for number in range(20):
        await patient.aappend(task, line(number))
    assert not any(one.done() for one in waiting)
    with pytest.raises(StoreUnavailable):
        await log.atask("any")
    with pytest.raises(StoreUnavailable):
        await log.aset_unfinished(task, [])
    proxy.listen()
    for one in await asyncio.gather(*waiting, return_exceptions=True):
        assert isinstance(one, UnknownTask)
    await patient.aclose()


def test_a_deleted_spool_is_reported_once_and_begun_again(
    server: Server, proxy: Proxy, log: SpooledLog, folder: Path, task: str, notices: list[str]
) -> None:
    proxy.shut()
    log.append(task, line("lost"))
    shutil.rmtree(folder)
    wait_until(lambda: any("cannot be used" in text for text in notices))
    wait_until(lambda: not log.spool.in_use())
    log.append(task, line("kept"))
    proxy.listen()
    sent(log)
    assert lines_of(server, task) == ["kept"]
    assert sum("cannot be used" in text for text in notices) == 1


FORKS = """
import os, sys
from signalbox.store import NewEvent
from signalbox.store.remote.spooled import SpooledLog

log, task = SpooledLog(sys.argv[1]), sys.argv[2]
log.append(task, NewEvent(event_type="log", payload={"message": "parent"}))
for number in range(5):
    child = os.fork()
    if child == 0:
        log.append(task, NewEvent(event_type="log", payload={"message": f"child {number}"}))
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
os._exit(0)
"""


@pytest.mark.long
def test_a_forked_process_has_a_spool_of_its_own(server: Server, proxy: Proxy, log: SpooledLog, task: str) -> None:
    proxy.shut()
    subprocess.run([sys.executable, "-c", FORKS, proxy.url, task], check=True, timeout=60)
    proxy.listen()
    sent(log)
    assert lines_of(server, task) == ["parent", *(f"child {number}" for number in range(5))]


def test_a_reachable_server_refuses_at_once(start_server: Any, folder: Path) -> None:
    guarded: Server = start_server()
    guarded.store.people.add_token("any", "0" * 64, scopes=("read",))
    log = SpooledLog(guarded.url, "sbx_wrong")
    wait_until(lambda: guarded.get("/api/tasks").status_code == 401)
    with pytest.raises(NotAllowed):
        log.append("t", line("one"))
    assert not log.spool.in_use()
    log.close()


def test_without_a_spool_a_call_waits_for_the_server(
    proxy: Proxy, folder: Path, task: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(BYTES_VARIABLE, "0")
    log = SpooledLog(proxy.url, patience=0.3)
    proxy.shut()
    with pytest.raises(StoreUnavailable, match="cannot be reached"):
        log.append(task, line("one"))
    log.close()
    assert not folder.exists()


@pytest.mark.long
def test_a_command_runs_while_the_server_is_away_and_its_output_is_sent_later(
    server: Server, proxy: Proxy, folder: Path, task: str
) -> None:
    proxy.shut()
    variables = {FOLDER_VARIABLE: str(folder)}
    done = signalbox("run", "--server", proxy.url, "--task", task, "--", "sh", "-c", "seq 1 100; exit 3", **variables)
    assert done.returncode == 3
    assert "output is kept on disk and sent later" in done.stderr
    assert "wait on disk until the server is back: see `signalbox spool`" in done.stderr
    shown = signalbox("spool", **variables).stdout
    assert proxy.url in shown
    proxy.listen()
    flushed = signalbox("spool", "flush", "--server", proxy.url, **variables)
    assert flushed.stdout.endswith(" sent, 0 waiting, 0 refused\n")
    assert lines_of(server, task) == [str(number) for number in range(1, 101)]
    assert task_of(server.store, task).exit_code == 3
    assert signalbox("spool", **variables).stdout == "no event waits for a server\n"


CASES = [(0, 1), *(pytest.param(seed, 3, marks=pytest.mark.soak) for seed in range(1, 51))]

CHAOTIC = """
import sys
from signalbox import open_store, NewEvent
store = open_store(sys.argv[1])
number = int(sys.argv[3])
while True:
    store.append(sys.argv[2], NewEvent(event_type="log", payload={"message": str(number)}))
    print(number, flush=True)
    number += 1
"""


@pytest.mark.long
@pytest.mark.parametrize(("seed", "writers"), CASES)
def test_everything_arrives_once_and_in_order_whatever_dies(
    tmp_path: Path, folder: Path, seed: int, writers: int
) -> None:
    server = Server(tmp_path).start()
    proxy = Proxy(server.port)
    rng, acknowledged = random.Random(seed), 0
    with Chaos(seed, server, proxy, fault_count=writers):
        for _ in range(writers):
            command = [sys.executable, "-c", CHAOTIC, proxy.url, "t", str(acknowledged)]
            writer = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
            assert writer.stdout is not None
            writer.stdout.readline()
            acknowledged += 1
            time.sleep(rng.uniform(0, 1))
            writer.kill()
            acknowledged += len(writer.stdout.read().split())
            writer.wait()
    log = SpooledLog(proxy.url)
    assert log.spool.flush(120, 120) == 0
    log.close()
    found = [int(text) for text in lines_of(server, "t")]
    # A writer that dies before it acknowledges an event may have stored it, and its successor uses the number again.
    assert sorted(set(found)) == list(range(len(set(found))))
    assert len(set(found)) in (acknowledged, acknowledged + 1)
    assert found == sorted(found)
    assert len(found) <= acknowledged + writers
    proxy.close()
    server.close()

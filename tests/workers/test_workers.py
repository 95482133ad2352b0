"""`serve --workers`: several processes serve one address, and any of them may be killed or replaced."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from signalbox.store import NewEvent
from tests.support.log import log_of
from tests.support.server import Server
from tests.support.sse import open_stream
from tests.support.waiting import wait_until
from tests.support.workers import is_running, metrics_of_each, pids, requests_without_pause, worker_ids

TAKEOVER_LIMIT = 40.0
"""Seconds within which another process supervises after the one that did was killed. A quiet machine needs up to 8."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Return a server with three workers. Tests may kill and replace workers, because three run again afterwards."""
    started = Server(tmp_path_factory.mktemp("workers"), workers=3, heartbeat_timeout=2.0).start()
    yield started
    started.close()
    assert "Traceback" not in started.log, started.log


@pytest.fixture
def ending(start_server: Callable[..., Server]) -> Server:
    """Return a server with two workers, which the test ends."""
    return start_server(workers=2)


def restarts(server: Server) -> list[float]:
    """Return how many workers were started again after a crash, as each worker reports it."""
    return [metrics["signalbox_worker_restarts_total"] for metrics in metrics_of_each(server, 3).values()]


def supervisors(server: Server) -> list[int]:
    """Return the numbers of the workers that supervise."""
    return [number for number, metrics in metrics_of_each(server, 3).items() if metrics["signalbox_supervising"]]


def begin_run(server: Server, task_id: str) -> None:
    server.emit(task_id, NewEvent(event_type="runner_spawn", payload={"heartbeat_interval": 0.1}))


@pytest.mark.long
def test_a_killed_worker_is_replaced_while_the_others_serve(server: Server) -> None:
    before, ids, counted = pids(server, 3), worker_ids(server, 3), restarts(server)
    assert len(set(before.values())) == 3
    os.kill(before[2], signal.SIGKILL)
    wait_until(lambda: pids(server, 3)[2] != before[2])
    assert len(worker_ids(server, 3) - ids) == 1
    assert {number for number, pid in pids(server, 3).items() if pid != before[number]} == {2}
    assert "a worker ended" in server.log
    assert "how='signal SIGKILL'" in server.log
    for metrics in metrics_of_each(server, 3).values():
        assert metrics["signalbox_workers"] == 3
    assert restarts(server) == [number + 1 for number in counted]


@pytest.mark.long
def test_no_worker_survives_its_parent_and_the_port_is_free_at_once(ending: Server) -> None:
    workers = pids(ending, 2).values()
    os.kill(pids(ending, 2)[1], signal.SIGSTOP)
    os.kill(ending.pid, signal.SIGKILL)
    wait_until(lambda: [is_running(pid) for pid in workers].count(True) == 1)
    os.kill(pids(ending, 2)[1], signal.SIGCONT)
    wait_until(lambda: not any(map(is_running, workers)))
    ending.kill()
    ending.start()
    assert len(worker_ids(ending, 2)) == 2


@pytest.mark.long
def test_a_restart_replaces_every_worker_and_no_request_fails(server: Server) -> None:
    server.post("/api/tasks", {"task_id": "requests"})
    before, ids, counted = pids(server, 3), worker_ids(server, 3), restarts(server)
    with requests_without_pause(server) as outcome, ExitStack() as streams:
        path = f"{server.url}/sse/tasks/requests/events"
        opened = [streams.enter_context(open_stream(path, timeout=60)) for _ in range(6)]
        wait_until(lambda: outcome()[0] > 20)
        os.kill(server.pid, signal.SIGHUP)
        wait_until(lambda: "all workers were replaced" in server.log, 240)
        answered = outcome()[0]
        wait_until(lambda: outcome()[0] > answered + 20)
        answers, failures = outcome()
        farewells = [list(stream)[-1] for stream in opened]
    assert not failures, (answers, failures)
    assert all("shutdown" in message.data for message in farewells), farewells
    assert not ids & worker_ids(server, 3)
    assert not any(is_running(pid) for pid in before.values())
    assert restarts(server) == counted
    numbers = [event.payload["message"] for event in log_of(server.store, "requests")]
    assert len(numbers) == len(set(numbers))


def test_a_server_that_stops_ends_its_streams_and_then_all_processes(ending: Server) -> None:
    ending.emit("run", "hello")
    workers = pids(ending, 2).values()
    with ExitStack() as streams:
        path = f"{ending.url}/sse/tasks/run/events"
        opened = [streams.enter_context(open_stream(path)) for _ in range(6)]
        for stream in opened:
            assert [next(stream).id, next(stream).id] == [None, "1"]
        ending.check_stop()
        farewells = [list(stream)[-1] for stream in opened]
    assert all("shutdown" in message.data for message in farewells), farewells
    assert not any(is_running(pid) for pid in workers)


def test_a_second_signal_ends_a_server_at_once(start_server: Callable[..., Server]) -> None:
    for workers in (1, 2):
        server = start_server(workers=workers, drain_delay=60)
        processes = [server.pid, *(pids(server, workers).values() if workers > 1 else ())]
        os.kill(server.pid, signal.SIGTERM)
        # Each worker learns of the signal for itself, so look at the answer of the one that has.
        refused = wait_until(lambda server=server: (found := server.get("/readyz")).status_code == 503 and found)
        assert refused.json()["problems"] == [{"code": "draining", "message": "the server is about to stop"}]
        assert server.get("/healthz").status_code == 200
        assert server.stop() < 30, "it waited until `drain_delay` was over"
        assert not any(map(is_running, processes))


@pytest.mark.long
def test_one_worker_supervises_and_another_takes_over_when_it_is_killed(server: Server) -> None:
    server.emit("long", NewEvent(event_type="runner_spawn", payload={"heartbeat_interval": 3600}))
    (first,) = wait_until(lambda: supervisors(server))
    os.kill(pids(server, 3)[first], signal.SIGKILL)
    killed = time.monotonic()
    wait_until(lambda: supervisors(server))
    assert time.monotonic() - killed < TAKEOVER_LIMIT
    begin_run(server, "dies")
    wait_until(lambda: "interrupted" in [event.payload.get("status") for event in log_of(server.store, "dies")])
    assert len(supervisors(server)) == 1
    interruptions = [event for event in log_of(server.store, "dies") if event.payload.get("status") == "interrupted"]
    assert len(interruptions) == 1

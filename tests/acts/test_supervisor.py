"""The supervisor marks a run interrupted only if the run is silent while the supervisor watches."""

from __future__ import annotations

import os
import signal
import sqlite3
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime

import pytest

from signalbox.store import Event, NewEvent, open_task
from signalbox.store.state import Task
from signalbox.webapp.acts import supervisor as supervising
from signalbox.webapp.acts.supervisor import Late, PauseDetector, SilenceTimers
from tests.support.log import log_of, open_permissions, task_of
from tests.support.server import Server
from tests.support.waiting import wait_until

LIMIT = 1.0
"""The heartbeat timeout of the servers under test, in seconds."""


def spawn(server: Server, task: str) -> None:
    server.emit(task, NewEvent(event_type="runner_spawn", payload={"heartbeat_interval": 0.1}))
    server.emit(task, NewEvent(event_type="permission_request", payload={"request_id": "r", "tool_name": "rm"}))


def seconds_to_interruption(server: Server, task: str, start: datetime) -> float:
    """Wait until the run is marked interrupted, and return the seconds from `start` to that event."""

    def found() -> list[Event]:
        return [event for event in log_of(server.store, task) if event.payload.get("status") == "interrupted"]

    (interruption,) = wait_until(found)
    return (datetime.fromisoformat(interruption.created_at) - start).total_seconds()


@pytest.mark.long
def test_a_server_that_was_suspended_restarts_the_timeout_of_every_run(start_server: Callable[..., Server]) -> None:
    server = start_server(heartbeat_timeout=LIMIT)
    spawn(server, "live")
    os.kill(server.pid, signal.SIGSTOP)
    time.sleep(2 * LIMIT)  # The suspension, in which no run can reach the server.
    resumed = datetime.now(UTC)
    os.kill(server.pid, signal.SIGCONT)
    assert seconds_to_interruption(server, "live", resumed) > LIMIT


@pytest.mark.long
def test_a_server_that_starts_gives_every_run_its_full_timeout(start_server: Callable[..., Server]) -> None:
    server = start_server(heartbeat_timeout=LIMIT)
    server.stop()
    spawn(server, "live")
    time.sleep(1.5 * LIMIT)  # The time without a server.
    started = datetime.now(UTC)
    server.start()
    assert seconds_to_interruption(server, "live", started) > LIMIT


@pytest.mark.long
def test_a_run_that_waits_for_a_database_lock_is_not_silent(start_server: Callable[..., Server]) -> None:
    server = start_server(heartbeat_timeout=LIMIT)
    spawn(server, "live")
    with closing(sqlite3.connect(server.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        time.sleep(3 * LIMIT)  # The time in which neither the run nor the supervisor can write.
        unlocked = datetime.now(UTC)
        other.execute("ROLLBACK")
    assert seconds_to_interruption(server, "live", unlocked) > LIMIT


def test_an_answer_reaches_a_run_that_was_marked_interrupted(start_server: Callable[..., Server]) -> None:
    server = start_server(heartbeat_timeout=60)
    with open_task(server.store, "asking", heartbeat_interval=30) as task, ThreadPoolExecutor(1) as pool:
        pending_answer = pool.submit(task.ask_permission, "shell", timeout=60)
        wait_until(lambda: open_permissions(server.store, "asking"))
        server.emit("asking", NewEvent(event_type="status", actor="supervisor", payload={"status": "interrupted"}))
        # The run reports at once that it is alive, without waiting for its next heartbeat.
        wait_until(lambda: task_of(server.store, "asking").status == "waiting")
        (request,) = open_permissions(server.store, "asking")
        path = f"/api/tasks/asking/permissions/{request.request_id}"
        assert server.post(path, {"approved": True}).status_code == 201
        assert pending_answer.result(60).approved
    assert task_of(server.store, "asking").status == "done"


class Clocks:
    """Clocks that a test sets by hand, in place of the system's."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = dict.fromkeys(supervising._CLOCKS, 1000.0)
        monkeypatch.setattr(supervising.time, "clock_gettime", self.now.__getitem__)

    def advance(self, seconds: float, *stopped: int) -> None:
        """Advance all clocks by `seconds`, except the clocks `stopped`."""
        for clock in self.now:
            self.now[clock] += 0 if clock in stopped else seconds


@pytest.mark.parametrize(
    ("seconds", "stopped_clocks", "late"),
    [
        (5, (), False),
        (8, (), True),
        # The machine slept: only the monotonic clock stood still.
        (3600, (time.CLOCK_MONOTONIC,), True),
        # The wall clock was set back: the supervisor is not late.
        (-3600, (time.CLOCK_MONOTONIC, time.CLOCK_BOOTTIME), False),
        # The wall clock was set forward, which looks like a sleep.
        (3600, (time.CLOCK_MONOTONIC, time.CLOCK_BOOTTIME), True),
    ],
)
def test_the_supervisor_detects_that_it_was_not_running(
    monkeypatch: pytest.MonkeyPatch, seconds: float, stopped_clocks: tuple[int, ...], late: bool
) -> None:
    clocks = Clocks(monkeypatch)
    pause_detector = PauseDetector()
    clocks.advance(seconds, *stopped_clocks)
    if late:
        with pytest.raises(Late):
            pause_detector.check(7.5)
    pause_detector.check(7.5)


def test_silence_counts_only_while_the_supervisor_watches() -> None:
    silence_timers, run = SilenceTimers(), task_like("run", 3)
    assert silence_timers.silent_seconds(run, 100.0) == 0
    silence_timers.end_round()
    assert silence_timers.silent_seconds(run, 140.0) == 40
    silence_timers.end_round()
    assert silence_timers.silent_seconds(task_like("run", 4), 150.0) == 0
    silence_timers.end_round()
    silence_timers.reset()
    assert silence_timers.silent_seconds(task_like("run", 4), 900.0) == 0
    silence_timers.end_round()
    assert silence_timers.silent_seconds(task_like("run", 4, "another task"), 980.0) == 0


def task_like(task_id: str, seq: int, identity: str = "") -> Task:
    """Return a task with the fields that `SilenceTimers` reads. Its timestamps come from a different clock."""
    old = "2001-01-01T00:00:00.000000Z"
    return Task(task_id=task_id, identity=identity, created_at=old, updated_at=old, main_span_id="m", latest_seq=seq)


@pytest.mark.long
def test_a_server_that_waits_for_the_supervising_one_is_healthy_after_an_outage(
    start_server: Callable[..., Server],
) -> None:
    first = start_server(heartbeat_timeout=2)
    servers = [first, start_server(heartbeat_timeout=2, store_url=first.store_url)]
    first.emit("long", NewEvent(event_type="runner_spawn", payload={"heartbeat_interval": 3600}))
    away = first.path.rename(first.path.with_name("away.db"))
    for server in servers:
        wait_until(lambda server=server: "loop_supervisor" in server.get("/api/events/health").text)
    away.rename(first.path)
    for server in servers:
        wait_until(lambda server=server: server.get("/api/events/health").status_code == 200)

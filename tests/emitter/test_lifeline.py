"""A working run sends heartbeats and receives cancels and answers to its permission requests."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from signalbox.store import Event, open_store, open_task
from signalbox.store.emitter import lifeline
from signalbox.store.remote import RemoteLog
from signalbox.store.sqlite import SqliteStore
from tests.support.database_file import back_up
from tests.support.log import answer, cancel, log_of, open_permissions, task_of, types_of, wait_for_event
from tests.support.server import Server
from tests.support.waiting import wait_until

NEVER = 60.0
"""Seconds after which a run that is not waiting would read its log again."""


def test_only_a_silent_run_sends_heartbeats(store: SqliteStore) -> None:
    with open_task(store, "silent", heartbeat_interval=0.05):
        wait_until(lambda: sum(e.event_type == "runner_heartbeat" for e in log_of(store, "silent")) >= 2)
    with open_task(store, "busy", heartbeat_interval=5) as task:
        for number in range(50):
            task.log(str(number))
    assert log_of(store, "silent")[0].payload["heartbeat_interval"] == 0.05
    assert all(event.event_type != "runner_heartbeat" for event in log_of(store, "busy"))
    assert types_of(store, "silent")[-1] == "runner_exit"


def test_a_cancel_reaches_the_run(store: SqliteStore) -> None:
    with open_task(store, "t") as task:
        assert not task.cancelled
        cancel(store, "t", "ann")
        wait_until(lambda: task.cancelled)
    assert task_of(store, "t").status == "cancelled"


def test_a_cancel_reaches_runs_whose_log_was_restored_to_an_earlier_state(
    start_server: Callable[..., Server], tmp_path: Path
) -> None:
    server = start_server()
    remote = RemoteLog(server.url)
    with open_task(server.store, "here") as here, open_task(remote, "there") as there:
        back_up(server.path, tmp_path / "backup.db")
        for run in (here, there):
            for number in range(50):
                run.log(str(number))
            answer_later = ThreadPoolExecutor(1).submit(run.ask_permission, "shell")
            (asked,) = wait_until(lambda run=run: open_permissions(server.store, run.task_id))
            answer(server.store, run.task_id, asked.request_id, True, "ann")
            assert answer_later.result(60).approved, "the run has read its log up to the answer"
        back_up(tmp_path / "backup.db", server.path)
        for run in (here, there):
            wait_until(
                lambda run=run: len(server.get(f"/api/tasks/{run.task_id}/events").json().get("events", ())) == 1
            )
            wait_until(lambda run=run: server.post(f"/api/tasks/{run.task_id}/cancel", {}).status_code == 201)
        wait_until(lambda: here.cancelled and there.cancelled)
    remote.close()


def test_a_cancel_before_the_run_started_does_not_count(store: SqliteStore) -> None:
    cancel(store, "t", "ann")
    with open_task(store, "t") as task:
        assert not task.ask_permission("shell", timeout=0.05).approved
        assert not task.cancelled
    assert task_of(store, "t").status == "done"


@pytest.mark.parametrize("approved", [True, False])
def test_an_answer_reaches_the_waiting_run_at_once(
    store: SqliteStore, approved: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lifeline, "READ_INTERVAL", NEVER)
    answered = answer_soon(store.url, approved)
    with open_task(store, "t") as task, task.phase("executing"):
        answer = task.ask_permission("shell", {"command": "make deploy"}, reason="the build is green")
        waited = time.monotonic() - answered.result()
    assert bool(answer) == answer.approved == approved
    assert (answer.by, answer.reason) == ("ann", "I looked")
    assert waited < NEVER / 2
    request = next(event for event in log_of(store, "t") if event.event_type == "permission_request")
    assert request.phase == "executing"
    assert request.payload["reason"] == "the build is green"


async def test_an_answer_reaches_the_waiting_asyncio_run_at_once(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lifeline, "READ_INTERVAL", NEVER)
    answered = answer_soon(store.url, True)
    async with open_task(store, "t") as task:
        answer = await task.ask_permission("shell", {"command": "make deploy"})
        waited = time.monotonic() - answered.result()
    assert answer
    assert waited < NEVER / 2


def test_an_unanswered_request_expires_after_its_timeout(store: SqliteStore) -> None:
    with open_task(store, "t") as task:
        answer = task.ask_permission("shell", timeout=0.05)
    assert (answer.approved, answer.state) == (False, "expired")
    assert types_of(store, "t")[1:3] == ["permission_request", "permission_cleared"]
    assert open_permissions(store, "t") == []


async def test_a_timeout_without_end_is_no_timeout(store: SqliteStore) -> None:
    forever = float("inf")
    async with open_task(store, "t") as task:
        asking = asyncio.create_task(task.ask_permission("shell", timeout=forever))
        asked = await asyncio.to_thread(wait_for_event, store.url, "t", is_request)
        assert "expires_at" not in asked.payload
        await asyncio.to_thread(answer, store, "t", asked.payload["request_id"], True, "ann")
        assert (await asking).approved

    def work() -> None:
        with open_task(store, "sync") as run:
            threading.Timer(0.2, lambda: cancel(store, "sync", "ann")).start()
            assert list(run.inbox(timeout=forever)) == []
            assert run.cancelled

    await asyncio.to_thread(work)


async def test_cancelling_the_wait_withdraws_the_request(store: SqliteStore) -> None:
    async with open_task(store, "t") as task:
        asking = asyncio.create_task(task.ask_permission("shell"))
        await asyncio.to_thread(wait_for_event, store.url, "t", is_request)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
    cleared = [e for e in await asyncio.to_thread(log_of, store, "t") if e.event_type == "permission_cleared"]
    assert [event.payload["cause"] for event in cleared] == ["withdrawn"]


def test_a_cancel_ends_the_wait_for_an_answer(store: SqliteStore) -> None:
    def stop() -> None:
        wait_for_event(store.url, "t", is_request)
        cancel(store, "t", "ann")

    person = threading.Thread(target=stop)
    person.start()
    with open_task(store, "t") as task:
        answer = task.ask_permission("shell")
    person.join()
    assert (answer.approved, answer.state, answer.by) == (False, "cancelled", "ann")
    assert open_permissions(store, "t") == []


def test_concurrent_requests_receive_their_own_answers(store: SqliteStore) -> None:
    with open_task(store, "t") as task, ThreadPoolExecutor(2) as threads:
        pending = {name: threads.submit(task.ask_permission, name) for name in ("read", "write")}
        wait_until(lambda: len(open_permissions(store, "t")) == 2)
        for permission in open_permissions(store, "t"):
            answer(store, "t", permission.request_id, permission.tool_name == "read", "ann", permission.tool_name)
        answers = {name: future.result(60) for name, future in pending.items()}
    assert {name: (a.approved, a.reason) for name, a in answers.items()} == {
        "read": (True, "read"),
        "write": (False, "write"),
    }


def is_request(event: Event) -> bool:
    return event.event_type == "permission_request"


def answer_soon(url: str, approved: bool) -> Future[float]:
    """Answer the request of task `t` through a second store, as another process does.

    The result is the monotonic time of the answer, in seconds.
    """

    def answer_when_asked() -> float:
        wait_for_event(url, "t", is_request)
        other = open_store(url)
        (request,) = open_permissions(other, "t")
        at = time.monotonic()
        answer(other, "t", request.request_id, approved, "ann", "I looked")
        other.close()
        return at

    return ThreadPoolExecutor(1).submit(answer_when_asked)

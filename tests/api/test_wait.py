"""Waiting for runs with one request: `GET /api/wait`."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from signalbox.store import NewEvent
from signalbox.store.sqlite import SqliteStore
from signalbox.store.sqlite.views import View
from signalbox.webapp.api.waiting import _has_event
from tests.support.people import project, token
from tests.support.server import Server
from tests.support.waiting import wait_until


def wait(server: Server, *tasks: str, headers: dict[str, str] | None = None, **params: Any) -> httpx.Response:
    named = [("task", task) for task in tasks]
    query = named + [(name, str(value)) for name, value in params.items()]
    return server.get("/api/wait", params=query, headers=headers, timeout=60)


@contextmanager
def waiting(server: Server, *tasks: str, **params: Any) -> Iterator[list[httpx.Response]]:
    """Send the request in the background, and let the block run once the server waits. Then collect the response."""
    answers: list[httpx.Response] = []
    before = server.get("/sse/health").json()["streams"]
    thread = threading.Thread(target=lambda: answers.append(wait(server, *tasks, **params)))
    thread.start()
    wait_until(lambda: server.get("/sse/health").json()["streams"] > before, message="the request did not arrive")
    yield answers
    thread.join(60)
    assert answers, "the request was not answered"


def exit_event(code: int = 0) -> NewEvent:
    return NewEvent(event_type="runner_exit", payload={"exit_code": code})


def test_the_end_of_a_run_answers_at_once(server: Server) -> None:
    server.emit("wait-end", NewEvent(event_type="runner_spawn"))
    with waiting(server, "wait-end", timeout=60) as answers:
        server.emit("wait-end", "a line that does not count", exit_event(1))
        ended = time.monotonic()
    assert time.monotonic() - ended < 30
    answer = answers[0].json()
    assert (answer["reached"], answer["timed_out"], answer["tasks"][0]["status"]) == (["wait-end"], False, "failed")


def test_a_run_may_be_named_with_and_without_its_identity(server: Server) -> None:
    server.emit("wait-twice", exit_event())
    identity = server.get("/api/tasks/wait-twice").json()["identity"]
    answer = wait(server, "wait-twice", f"wait-twice@{identity}")
    assert answer.status_code == 200, answer.text
    assert set(answer.json()["reached"]) == {"wait-twice"}


def test_a_run_that_has_ended_is_not_waited_for(server: Server) -> None:
    server.emit("wait-over", exit_event())
    for until in ("end", "permission", "event"):
        assert wait(server, "wait-over", until=until).json()["reached"] == ["wait-over"]


def test_after_the_timeout_the_answer_says_so(server: Server) -> None:
    server.emit("wait-long", NewEvent(event_type="runner_spawn"))
    answer = wait(server, "wait-long", timeout=0).json()
    assert (answer["reached"], answer["timed_out"], answer["tasks"][0]["status"]) == ([], True, "running")


def test_a_permission_request_answers(server: Server) -> None:
    server.emit("wait-ask", NewEvent(event_type="runner_spawn"))
    with waiting(server, "wait-ask", until="permission", timeout=60) as answers:
        server.emit("wait-ask", NewEvent(event_type="permission_request", payload={"tool_name": "rm"}))
    assert answers[0].json()["tasks"][0]["permissions_open"] == 1


def test_heartbeats_are_no_events_and_one_position_follows_several_runs(server: Server) -> None:
    server.emit("wait-a", NewEvent(event_type="runner_spawn"))
    server.emit("wait-b", NewEvent(event_type="runner_spawn"))
    at = wait(server, "wait-a", timeout=0).json()["next_event_id"]
    server.emit("wait-a", *[NewEvent(event_type="runner_heartbeat")] * 250)
    assert wait(server, "wait-a", "wait-b", until="event", since_event_id=at, timeout=0).json()["reached"] == []
    server.emit("wait-b", "a line")
    answer = wait(server, "wait-a", "wait-b", until="event", since_event_id=at, timeout=0).json()
    assert answer["reached"] == ["wait-b"]
    after = answer["next_event_id"]
    assert wait(server, "wait-b", until="event", since_event_id=after, timeout=0).json()["timed_out"]


def test_all_waits_for_every_run(server: Server) -> None:
    server.emit("wait-first", exit_event())
    server.emit("wait-second", NewEvent(event_type="runner_spawn"))
    with waiting(server, "wait-first", "wait-second", all=1, timeout=60) as answers:
        server.emit("wait-second", exit_event())
    assert answers[0].json()["reached"] == ["wait-first", "wait-second"]


def test_without_a_task_the_position_is_answered_at_once(server: Server) -> None:
    server.emit("wait-position", "one")
    at = wait(server).json()
    assert (at["tasks"], at["timed_out"]) == ([], False)
    server.emit("wait-position", "two")
    since = at["next_event_id"]
    answer = wait(server, "wait-position", until="event", since_event_id=since, timeout=0).json()
    assert answer["reached"] == ["wait-position"]


def test_what_is_wrong_with_a_request_is_said(server: Server) -> None:
    server.emit("wait-known", "hello")
    many = wait(server, *(f"run-{number}" for number in range(21)))
    assert many.json()["error"]["message"] == "task may be given at most 20 times, not 21"
    assert wait(server, "wait-unknown").status_code == 404
    assert wait(server, "wait-known@0000").status_code == 410
    assert wait(server, "wait-known", timeout=61).json()["error"]["field"] == "timeout"
    assert wait(server, "wait-known", until="never").json()["error"]["field"] == "until"


def test_waits_count_as_streams_and_end_with_the_server(start_server: Any) -> None:
    own = start_server(max_streams=2)
    own.emit("run", NewEvent(event_type="runner_spawn"))
    with waiting(own, "run", timeout=30), waiting(own, "run", timeout=30) as answers:
        assert wait(own, "run").status_code == 503
        own.check_stop()
    assert answers[0].json()["timed_out"]


def test_a_caller_waits_only_for_runs_that_they_may_see(start_server: Any) -> None:
    own = start_server()
    for name in ("ours", "theirs"):
        project(own.store, name)
        own.store.create_task(f"{name}-run", project_id=name)
    ours = token(own.store, "ours", project_id="ours", scopes=("read",))
    wait_until(lambda: own.get("/api/tasks").status_code == 401, message="the server refused no callers")
    assert wait(own, "ours-run", headers=ours, timeout=0).status_code == 200
    assert wait(own, "ours-run", "theirs-run", headers=ours, timeout=0).status_code == 403


async def test_a_long_log_is_not_read_to_find_an_event(store: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    beats = [NewEvent(event_type="runner_heartbeat")] * 1000
    spawn = (await store.aappend("silent", [NewEvent(event_type="runner_spawn"), *beats]))[0].event_id
    newest = (await store.aappend("busy", [NewEvent(event_type="log")] * 1000))[-1].event_id
    read, rows_of = 0, View._rows

    async def counted(view: View, sql: str, *values: object) -> Any:
        nonlocal read
        rows = await rows_of(view, sql, *values)
        read += len(rows)
        return rows

    async with store.read() as view:
        silent, busy = await view.task("silent"), await view.task("busy")
        monkeypatch.setattr(View, "_rows", counted)
        assert not await _has_event(view, silent, spawn)
        assert await _has_event(view, silent, spawn - 1)
        assert await _has_event(view, busy, spawn)
        assert not await _has_event(view, busy, newest)
    assert read < 20

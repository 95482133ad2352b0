"""The session dialect: a client that uses no other route watches tool calls and answers permissions."""

from __future__ import annotations

import random
import statistics
import threading
import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from signalbox.store import NewEvent, open_task
from signalbox.store.remote import RemoteLog
from tests.support.proxy import Proxy
from tests.support.server import Server
from tests.support.session_client import SessionClient, answer, emit
from tests.support.sse import open_stream
from tests.support.waiting import wait_until


def ask(server: Server, session: str, request_id: str = "r1", **fields: Any) -> None:
    emit(server.url, session, "permission_request", request_id=request_id, tool_name="rm", **fields)


def test_a_session_from_its_first_to_its_last_tool_call(server: Server) -> None:
    server.post("/api/tasks", {"task_id": "whole", "kind": "session"})
    with SessionClient(server.url, "whole") as client:
        emit(server.url, "whole", "tool_status", tool_name="grep", status="running")
        emit(server.url, "whole", "log", message="not for this client")
        emit(server.url, "whole", "tool_result", tool_name="grep", output="3 files\nin 2 lines")
        ask(server, "whole", arguments={"path": "/x"})
        client.wait_for("permission_request")
        answered = answer(server.url, "whole", True, reason="go on")
        cleared = client.wait_for("permission_cleared")
    assert answered.status_code == 200
    assert answered.json()["by"] == "local user"
    assert client.types() == ["tool_status", "tool_result", "permission_request", "permission_cleared"]
    assert client.messages[1]["data"] == {"tool_name": "grep", "output": "3 files\nin 2 lines"}
    assert client.messages[2]["data"] == {"request_id": "r1", "tool_name": "rm", "arguments": {"path": "/x"}}
    assert cleared["data"] == {
        "request_id": "r1", "approved": True, "reason": "go on", "by": "local user", "cause": "answered"
    }  # fmt: skip
    assert cleared["timestamp"] == answered.json()["timestamp"]


def test_the_answer_reaches_every_client_and_the_waiting_run(server: Server) -> None:
    watchers: list[SessionClient] = []

    def person() -> None:
        wait_until(lambda: server.get("/api/tasks/team").status_code == 200)
        watchers.extend(SessionClient(server.url, "team") for _ in range(3))
        for watcher in watchers:
            watcher.wait_for("permission_request")
        answer(server.url, "team", False, reason="too risky")

    thread = threading.Thread(target=person)
    with open_task(RemoteLog(server.url), task_id="team") as run:
        thread.start()
        given = run.ask_permission("rm", {"path": "/x"})
    thread.join()
    assert (given.state, given.by, given.reason) == ("denied", "local user", "too risky")
    for watcher in watchers:
        assert watcher.wait_for("permission_cleared")["data"]["approved"] is False
        watcher.close()


def test_a_new_client_receives_open_permissions_and_then_new_events(server: Server) -> None:
    emit(server.url, "joins", "tool_status", status="long ago")
    for name in ("old", "first", "second"):
        ask(server, "joins", name)
    answer(server.url, "joins", True, request_id="old")
    with SessionClient(server.url, "joins") as client:
        emit(server.url, "joins", "tool_status", status="now")
        client.wait_for("tool_status")
    assert [(message["type"], message["data"].get("request_id")) for message in client.messages] == [
        ("permission_request", "first"), ("permission_request", "second"), ("tool_status", None)
    ]  # fmt: skip
    assert client.ids == ["", "", "6"]
    with open_stream(f"{server.url}/api/sse/events/joins", headers={"Last-Event-ID": ""}) as stream:
        assert [next(stream).comment, next(stream).json["data"]["request_id"]] == ["open", "first"]
    with SessionClient(server.url, "joins", since="0") as client:
        client.wait_for("tool_status", lambda data: data["status"] == "now")
    assert client.ids == ["1", "2", "3", "4", "5", "6"]


def test_a_new_client_receives_many_long_open_requests_in_bounded_pieces(server: Server) -> None:
    requests = [
        NewEvent(event_type="permission_request", payload={"request_id": f"r{n}", "arguments": {"a": "x" * 100_000}})
        for n in range(60)
    ]
    for first in range(0, 60, 20):
        server.emit("long", *requests[first : first + 20])
    found, position = [], 0
    with open_stream(f"{server.url}/api/sse/events/long") as stream:
        while len(found) < 60:
            message = next(stream)
            if message.data and message.json["type"] == "permission_request":
                found.append(message.json["data"]["request_id"])
            elif message.data:
                position = position or int(message.id or 0)
    assert found == [f"r{n}" for n in range(60)]
    assert position == 6
    health = server.get("/api/sse/health/long").json()
    assert (health["permission_open"], health["request_id"]) == (True, "r0")


def test_a_permission_request_without_an_id_receives_one(server: Server) -> None:
    emit(server.url, "nameless", "permission_request", tool_name="rm")
    with SessionClient(server.url, "nameless") as client:
        permission = client.wait_for("permission_request")["data"]
        assert permission["request_id"] == server.get("/api/sse/health/nameless").json()["request_id"] == "request-1"
        assert answer(server.url, "nameless", True, request_id="request-1").status_code == 200


def test_an_answer_without_a_request_id_answers_the_oldest_request(server: Server) -> None:
    for name in ("a", "b", "c"):
        ask(server, "several", name)
    assert answer(server.url, "several", True, request_id="b").json()["request_id"] == "b"
    assert answer(server.url, "several", True).json()["request_id"] == "a"
    assert answer(server.url, "several", True).json()["request_id"] == "c"


def test_a_second_answer_is_refused_and_names_the_first(server: Server) -> None:
    ask(server, "second")
    assert answer(server.url, "second", False).status_code == 200
    for late in (answer(server.url, "second", True), answer(server.url, "second", True, request_id="r1")):
        assert (late.status_code, late.json()["error"]["code"]) == (409, "no_open_request")
        assert "already denied by local user" in late.json()["error"]["message"]
    assert server.latest("second") == 2


def test_only_one_of_many_concurrent_answers_counts(server: Server) -> None:
    ask(server, "crowd")
    responses: list[httpx.Response] = []
    people = [
        threading.Thread(target=lambda n=n: responses.append(answer(server.url, "crowd", n % 2 == 0))) for n in range(8)
    ]
    for person in people:
        person.start()
    for person in people:
        person.join()
    assert sorted(response.status_code for response in responses) == [200] + [409] * 7
    assert all(
        "local user" in response.json()["error"]["message"] for response in responses if response.status_code == 409
    )


def test_an_answer_without_an_open_request_is_refused_with_the_reason(server: Server) -> None:
    for path in ("/api/sse/events/nobody", "/api/sse/health/nobody"):
        assert server.get(path).json()["error"]["code"] == "unknown_task"
    assert answer(server.url, "nobody", True).status_code == 404
    server.emit("quiet", "a line")
    nothing = answer(server.url, "quiet", True)
    assert (nothing.status_code, nothing.json()["error"]["message"]) == (409, "no permission request is open")
    assert (
        answer(server.url, "quiet", True, request_id="r9").json()["error"]["message"]
        == "there is no permission request 'r9'"
    )
    for body in (
        {},
        {"approved": "yes"},
        {"approved": True, "request": "r1"},
        {"approved": True, "reason": "x" * 2001},
    ):
        refused = server.post("/api/sse/permission-response/quiet", body)
        assert (refused.status_code, "field" in refused.json()["error"]) == (400, True)
    assert server.get("/api/sse/events/quiet", headers={"Last-Event-ID": "x"}).status_code == 400


@pytest.mark.parametrize("closing", ["expired", "ended"])
def test_an_unanswered_request_is_cleared(start_server: Callable[..., Server], closing: str) -> None:
    server = start_server(heartbeat_timeout=0.8)
    ask(server, "late", **({"expires_at": "2026-01-01T00:00:00Z"} if closing == "expired" else {}))
    with SessionClient(server.url, "late", since="0") as client:
        if closing == "ended":
            emit(server.url, "late", "runner_exit", exit_code=0)
        data = client.wait_for("permission_cleared")["data"]
    assert (data["request_id"], data["cause"]) == ("r1", {"expired": "expired", "ended": "task_ended"}[closing])


def test_health_shows_the_state_of_a_session(server: Server) -> None:
    ask(server, "health")
    with SessionClient(server.url, "health"), SessionClient(server.url, "health"):
        assert server.get("/api/sse/health/health").json() == {
            "status": "ok",
            "session_id": "health",
            "identity": server.get("/api/tasks/health").json()["identity"],
            "connections": 2,
            "last_seq": 1,
            "permission_open": True,
            "request_id": "r1",
        }
    wait_until(lambda: server.get("/api/sse/health/health").json()["connections"] == 0)


def test_a_silent_stream_sends_heartbeats_with_the_latest_seq(
    start_server: Callable[..., Server],
) -> None:
    server = start_server(keepalive_interval=0.2)
    server.emit("beats", "one", "two")
    with SessionClient(server.url, "beats") as client:
        server.emit("beats", "three")
        wait_until(lambda: client.heartbeats[-1]["data"] == {"latest_seq": 3})
        count_before = len(client.heartbeats)
        # Events that the dialect leaves out do not suppress heartbeats.
        wait_until(lambda: server.emit("beats", "noise") and len(client.heartbeats) > count_before + 2)
        assert client.heartbeats[-1]["data"]["latest_seq"] > 3
        assert client.connects == 1
    assert client.messages == []


def test_a_stream_with_many_omitted_events_still_advances(start_server: Callable[..., Server]) -> None:
    server = start_server(max_events_per_stream=5)
    emit(server.url, "noise", "tool_status", status="before")
    server.emit("noise", *(f"line {n}" for n in range(23)))
    emit(server.url, "noise", "tool_status", status="after")
    with SessionClient(server.url, "noise", since="0") as client:
        client.wait_for("tool_status", lambda data: data["status"] == "after")
    assert client.ids == ["1", "25"]
    assert any(beat["data"].get("reconnect") == "max_events" for beat in client.heartbeats)


def test_cuts_neither_lose_nor_repeat_an_event(start_server: Callable[..., Server]) -> None:
    server, rng = start_server(), random.Random(7)
    proxy, total = Proxy(server.port), 300
    server.post("/api/tasks", {"task_id": "cut"})
    proxy.cut_after = lambda: rng.randint(350, 6000)
    try:
        with SessionClient(proxy.url, "cut", since="0") as client:
            for number in range(total):
                server.emit("cut", NewEvent(event_type="tool_status", payload={"number": number}), "between")
                if number == total // 2:
                    server.kill()
                    server.start()
                if number == total * 3 // 4:
                    server.stop()
                    server.start()
            client.wait_for("tool_status", lambda data: data["number"] == total - 1)
        assert [message["data"]["number"] for message in client.messages] == list(range(total))
        assert client.connects > 3
    finally:
        proxy.close()


def test_a_client_starts_again_after_the_database_is_replaced(start_server: Callable[..., Server]) -> None:
    server = start_server(keepalive_interval=0.2)
    server.post("/api/tasks", {"task_id": "restored"})
    with SessionClient(server.url, "restored", since="0") as client:
        emit(server.url, "restored", "tool_status", status="before")
        server.emit("restored", "two", "three")
        wait_until(lambda: client.heartbeats[-1]["data"]["latest_seq"] == 3)
        server.replace_database()
        server.start()
        ask(server, "restored", "new")
        assert client.wait_for("permission_request")["data"]["request_id"] == "new"


def test_two_web_processes_see_each_others_answers(start_server: Callable[..., Server], tmp_path: Any) -> None:
    server = start_server()
    other = Server(server.path.parent).start()
    try:
        ask(server, "shared")
        with SessionClient(server.url, "shared") as client:
            client.wait_for("permission_request")
            assert answer(other.url, "shared", True).status_code == 200
            assert client.wait_for("permission_cleared")["data"]["approved"] is True
            assert answer(server.url, "shared", True).status_code == 409
    finally:
        other.close()


MAX_DELAY = 1.0
"""Seconds from an answer to its arrival at a client. A quiet machine needs a hundredth of it."""


def test_an_answer_on_the_page_reaches_the_client_at_once(server: Server, record_property: Any) -> None:
    elapsed = []
    server.post("/api/tasks", {"task_id": "prompt"})
    with SessionClient(server.url, "prompt") as client, httpx.Client(base_url=server.url) as browser:
        for number in range(15):
            name = f"r{number}"
            ask(server, "prompt", name)
            client.wait_for("permission_request", lambda data, name=name: data["request_id"] == name)
            pressed = time.monotonic()
            browser.post(f"/tasks/prompt/permissions/{name}", data={"decision": "approve"})
            cleared = client.wait_for("permission_cleared", lambda data, name=name: data["request_id"] == name)
            elapsed.append(cleared["came"] - pressed)
    record_property("p50_seconds", statistics.median(elapsed))
    assert statistics.median(elapsed) < MAX_DELAY

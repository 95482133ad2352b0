"""Permissions over HTTP: a run asks, a person answers, and a closed permission stays closed."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from signalbox.store import NewEvent, open_task
from signalbox.store.emitter import lifeline
from signalbox.store.emitter.permission import Answer
from signalbox.store.remote import RemoteLog
from signalbox.store.sqlite import SqliteStore
from tests.support.log import audits_of
from tests.support.server import Server
from tests.support.waiting import wait_until

ODD_ID = "r/1 ?#ü&<b>"


def ask(server: Server, task: str, request_id: str = "r1", **fields: Any) -> None:
    payload = {"request_id": request_id, "tool_name": "rm", "arguments": {"path": "/x"}, **fields}
    server.emit(task, NewEvent(event_type="permission_request", span_id="tool", payload=payload))


def path_of(task: str, request_id: str = "r1") -> str:
    return f"/tasks/{task}/permissions/{quote(request_id, safe='')}"


def press(server: Server, task: str, decision: str, request_id: str = "r1", **form: Any) -> httpx.Response:
    headers = form.pop("headers", {})
    return httpx.post(server.url + path_of(task, request_id), data={"decision": decision, **form}, headers=headers)


def last_event(server: Server, task: str) -> dict[str, Any]:
    newest: dict[str, Any] = server.get(f"/api/tasks/{task}/events/latest?limit=1").json()[0]
    return newest


def test_a_form_answers_and_redirects_to_the_page_it_came_from(server: Server) -> None:
    ask(server, "form")
    referer = f"{server.url}/permissions?x=1"
    response = press(server, "form", "approve", reason=" go on ", headers={"Referer": referer})
    assert (response.status_code, response.headers["Location"]) == (303, "/permissions?x=1")
    event = last_event(server, "form")
    assert (event["event_type"], event["actor"], event["span_id"]) == ("permission_response", "user", "tool")
    assert event["payload"] == {"request_id": "r1", "approved": True, "reason": "go on", "by": "local user"}


@pytest.mark.parametrize(
    "referer", ["http://evil.example/tasks", "http://{host}//evil.example/tasks/back", "nonsense", "http://[::", ""]
)
def test_an_answer_never_redirects_to_another_site(server: Server, referer: str) -> None:
    task = f"back-{len(referer)}"
    ask(server, task)
    headers = {"Referer": referer.format(host=server.url.removeprefix("http://"))}
    location = press(server, task, "deny", headers=headers).headers["Location"]
    assert location in (f"/tasks/{task}", "/evil.example/tasks/back")


def test_an_answer_is_audited_with_actor_time_seq_and_source(server: Server) -> None:
    ask(server, "audited")
    press(server, "audited", "deny", reason="not today")
    (audit,) = audits_of(server.store, "audited")
    assert (audit["actor"], audit["action"], audit["seq"]) == ("local user", "permission_response", 2)
    assert audit["source"] == "127.0.0.1"
    assert audit["detail"]["reason"] == "not today"
    assert audit["at"] >= last_event(server, "audited")["created_at"]


def test_a_second_answer_is_refused_and_shows_the_first(server: Server) -> None:
    ask(server, "second", ODD_ID)
    assert press(server, "second", "approve", ODD_ID, reason="fine by me").status_code == 303
    late = press(server, "second", "deny", ODD_ID)
    assert late.status_code == 409
    assert "local user already approved this" in late.text
    assert "<b>Approved</b> by local user" in late.text
    assert last_event(server, "second")["created_at"] in late.text
    assert "fine by me" in late.text
    assert 'href="/tasks/second"' in late.text
    assert server.latest("second") == 2
    assert len(audits_of(server.store, "second")) == 1


def test_only_one_of_many_concurrent_answers_counts(server: Server) -> None:
    ask(server, "crowd")
    answers: list[httpx.Response] = []
    people = [
        threading.Thread(target=lambda n=n: answers.append(press(server, "crowd", ("approve", "deny")[n % 2])))
        for n in range(12)
    ]
    for person in people:
        person.start()
    for person in people:
        person.join()
    assert sorted(response.status_code for response in answers) == [303] + [409] * 11
    assert all("local user" in response.text for response in answers if response.status_code == 409)
    assert server.latest("crowd") == 2
    assert len(audits_of(server.store, "crowd")) == 1


def test_a_permission_has_a_page_of_its_own(server: Server) -> None:
    ask(server, "own", ODD_ID, reason="old files", evidence_refs={"checkpoint_id": "plan", "artifacts": ["a.txt"]})
    page = server.get(path_of("own", ODD_ID)).text
    for text in ("old files", "/x", "a.txt", "/checkpoints/plan", 'value="approve"', "<title>"):
        assert text in page
    assert '<b>"' not in page
    assert server.get("/tasks/own/permissions/none").status_code == 404
    assert server.get("/tasks/nobody/permissions/r1").status_code == 404


def test_invalid_answers_are_refused(server: Server) -> None:
    ask(server, "bad")
    assert press(server, "bad", "perhaps").status_code == 400
    assert press(server, "bad", "approve", reason="x" * 2001).status_code == 400
    assert press(server, "bad", "approve", "none").status_code == 404
    assert press(server, "bad", "approve", headers={"Origin": "http://evil.example"}).status_code == 403
    for body in ({}, {"approved": "yes"}, {"approved": True, "who": "me"}):
        assert server.post("/api/tasks/bad/permissions/r1", body).status_code == 400
    assert server.post("/api/tasks/bad/permissions/none", {"approved": True}).json()["error"] == {
        "code": "unknown_permission",
        "message": "there is no permission request 'none'",
    }
    assert server.latest("bad") == 1
    assert audits_of(server.store, "bad") == []


def test_clients_answer_in_json(server: Server) -> None:
    ask(server, "json")
    (waiting,) = server.get("/api/tasks/json/permissions").json()
    assert (waiting["request_id"], waiting["tool_name"], waiting["arguments"]) == ("r1", "rm", {"path": "/x"})
    response = server.post("/api/tasks/json/permissions/r1", {"approved": False, "reason": "no"})
    assert response.status_code == 201
    assert response.json()["payload"]["approved"] is False
    late = server.post("/api/tasks/json/permissions/r1", {"approved": True})
    assert (late.status_code, late.json()["error"]["code"]) == (409, "conflict")
    assert "already denied by local user" in late.json()["error"]["message"]
    assert server.get("/api/tasks/json/permissions").json() == []
    assert len(audits_of(server.store, "json")) == 1


def test_the_inbox_lists_open_permissions_and_every_page_counts_them(start_server: Callable[..., Server]) -> None:
    server = start_server()
    assert "Nothing needs approval" in server.get("/permissions").text
    assert "<open-permissions hidden>" in server.get("/tasks").text
    for n in range(3):
        ask(server, f"run-{n}")
    press(server, "run-1", "approve")
    inbox = server.get("/permissions").text
    assert [f"/tasks/run-{n}/permissions/r1" in inbox for n in range(3)] == [True, False, True]
    for page in ("/permissions", "/tasks", "/tasks/run-1", "/tasks/run-1/log?after=0", "/demo"):
        text = server.get(page).text
        assert "<title>(2) " in text, page
        assert '<open-permissions><span class="count count--waiting">2</span>' in text, page


def test_an_unanswered_permission_expires(start_server: Callable[..., Server]) -> None:
    server = start_server(heartbeat_timeout=0.8)
    ask(server, "late", expires_at="2026-01-01T00:00:00Z")
    ask(server, "later", expires_at="2999-01-01T00:00:00Z")
    for end in ("one", "two"):
        ask(server, "long", f"{'x' * 250}-{end}", expires_at="2026-01-01T00:00:00Z")
    wait_until(lambda: [server.get(f"/api/tasks/{each}/permissions").json() for each in ("late", "long")] == [[], []])
    event = last_event(server, "late")
    assert (event["event_type"], event["actor"]) == ("permission_cleared", "supervisor")
    late = press(server, "late", "approve")
    assert late.status_code == 409
    assert "<b>Expired</b> by supervisor" in late.text
    assert len(server.get("/api/tasks/later/permissions").json()) == 1
    assert audits_of(server.store, "late") == []


def test_the_end_of_a_run_closes_its_permissions(server: Server) -> None:
    ask(server, "ended")
    server.emit("ended", NewEvent(event_type="runner_exit", payload={"exit_code": 0}))
    late = press(server, "ended", "approve")
    assert late.status_code == 409
    assert "<b>Cleared</b>" in late.text
    assert "the task is done" in late.text


AnyLog = SqliteStore | RemoteLog


@pytest.fixture(params=["store", "server"])
def log(request: pytest.FixtureRequest, server: Server) -> AnyLog:
    """Return the log that a run writes to: the database, or the server."""
    return server.store if request.param == "store" else RemoteLog(server.url)


def press_when_asked(server: Server, task: str, pressed: list[float]) -> threading.Thread:
    def person() -> None:
        wait_until(lambda: f"/tasks/{task}/permissions/" in server.get("/permissions").text)
        (permission,) = server.get(f"/api/tasks/{task}/permissions").json()
        pressed.append(time.monotonic())
        press(server, task, "approve", permission["request_id"], reason="go")

    thread = threading.Thread(target=person)
    thread.start()
    return thread


NEVER = 60.0
"""Seconds after which a run that is not waiting would read its log again."""

MAX_DELAY = 10.0
"""Seconds between an answer and its arrival in the run. A quiet machine needs a hundredth of it."""


@pytest.fixture
def reads_only_while_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lifeline, "READ_INTERVAL", NEVER)


@pytest.mark.usefixtures("reads_only_while_waiting")
def test_a_waiting_run_receives_the_answer_at_once(server: Server, log: AnyLog, record_property: Any) -> None:
    task = f"waits-{type(log).__name__}"
    pressed: list[float] = []
    with open_task(log, task_id=task) as run:
        person = press_when_asked(server, task, pressed)
        answer = run.ask_permission("rm", {"path": "/x"}, reason="old", evidence_refs={"artifacts": ["a.txt"]})
        elapsed = time.monotonic() - pressed[0]
    person.join()
    record_property("seconds", elapsed)
    assert (answer.state, answer.by, answer.reason) == ("approved", "local user", "go")
    assert elapsed < MAX_DELAY


@pytest.mark.usefixtures("reads_only_while_waiting")
def test_a_waiting_async_run_receives_the_answer_at_once(server: Server, log: AnyLog, record_property: Any) -> None:
    task = f"awaits-{type(log).__name__}"
    pressed: list[float] = []

    async def main() -> tuple[Answer, float]:
        async with open_task(log, task_id=task) as run:
            answer = await run.ask_permission("rm", {"path": "/x"})
            return answer, time.monotonic() - pressed[0]

    person = press_when_asked(server, task, pressed)
    answer, elapsed = asyncio.run(main())
    person.join()
    record_property("seconds", elapsed)
    assert answer.approved
    assert elapsed < MAX_DELAY


@pytest.mark.parametrize("outcome", ["expired", "ended", "cancelled"])
def test_a_waiting_run_is_notified_when_its_permission_closes_without_an_answer(
    start_server: Callable[..., Server], outcome: str
) -> None:
    server = start_server(heartbeat_timeout=0.8)
    closings = {
        "expired": NewEvent(event_type="permission_cleared", actor="supervisor", payload={"cause": "expired"}),
        "ended": NewEvent(event_type="status", payload={"status": "failed"}),
    }

    def close_request() -> None:
        wait_until(lambda: "/tasks/run/permissions/" in server.get("/permissions").text)
        (permission,) = server.get("/api/tasks/run/permissions").json()
        if outcome == "cancelled":
            httpx.post(f"{server.url}/tasks/run/cancel")
        else:
            closing = closings[outcome]
            payload = {"request_id": permission["request_id"], **closing.payload}
            server.emit("run", NewEvent(event_type=closing.event_type, actor=closing.actor, payload=payload))

    thread = threading.Thread(target=close_request)
    with open_task(RemoteLog(server.url), task_id="run") as run:
        thread.start()
        answer = run.ask_permission("rm", timeout=60)
    thread.join()
    assert not answer
    assert answer.state == {"expired": "expired", "ended": "cleared", "cancelled": "cancelled"}[outcome]
    assert "/tasks/run/permissions/" not in server.get("/permissions").text

"""The dialects on a server with accounts: log-in, roles, tokens in query strings, and audits."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from signalbox.store import NewEvent
from tests.docs.test_examples import run_agent_client
from tests.support.log import audits_of
from tests.support.people import PASSWORD, Headers, person, session, token, wait_until_guarded
from tests.support.run_client import RunClient
from tests.support.server import Server
from tests.support.session_client import SessionClient
from tests.support.waiting import wait_until

ECHO = {"kind": "command", "argv": [sys.executable, "-c", "print('hello')"]}


@pytest.fixture
def guarded(start_server: Callable[..., Server]) -> Server:
    """Start a server with two projects: an operator and a viewer of the first, and an owner of the second."""
    server = start_server(keepalive_interval=0.3)
    for name in ("ours", "theirs"):
        server.store.people.add_project(name, name.title(), agent=ECHO)
    person(server.store, "ann@example.org", ours="operator")
    person(server.store, "vic@example.org", ours="viewer")
    person(server.store, "otto@example.org", theirs="owner")
    wait_until_guarded(server)
    return server


def logged_in(server: Server, email: str) -> RunClient:
    """Return a client that is logged in as `email`."""
    client = RunClient(server.url)
    client.log_in(email, PASSWORD).raise_for_status()
    return client


@pytest.mark.long
def test_a_logged_in_operator_starts_and_watches_a_run(guarded: Server, tmp_path: Path) -> None:
    client = RunClient(guarded.url)
    assert client.get("/projects").status_code == 401
    for credentials in (("ann@example.org", "not this one"), ("nobody@example.org", PASSWORD)):
        refused = client.log_in(*credentials)
        assert (refused.status_code, refused.json()["error"]["code"]) == (401, "wrong_credentials")
    login = client.log_in("Ann@Example.org", PASSWORD).json()
    assert (login["email"], login["token_type"]) == ("ann@example.org", "bearer")
    assert login["expires_at"] > "2026"
    assert [project["project_id"] for project in client.get("/projects").json()["projects"]] == ["ours"]
    run_id = client.start("ours", run_id="ours-1").json()["run_id"]
    seen = client.watch("ours", run_id)
    assert (seen.lines, seen.last_status) == (["hello"], "Task success")
    (audit,) = audits_of(guarded.store, run_id)
    assert (audit["actor"], audit["action"], audit["source"]) == ("ann@example.org", "run_started", "127.0.0.1")
    done = run_agent_client(tmp_path, guarded, "--email", "ann@example.org", SIGNALBOX_PASSWORD=PASSWORD)
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "DONE")
    wrong_password = run_agent_client(tmp_path, guarded, "--email", "ann@example.org", SIGNALBOX_PASSWORD="wrong")
    assert (wrong_password.returncode, "wrong e-mail or password" in wrong_password.stderr) == (2, True)


def test_a_logged_out_client_is_refused(guarded: Server) -> None:
    client = logged_in(guarded, "ann@example.org")
    program = RunClient(guarded.url, token(guarded.store, "program")["Authorization"].removeprefix("Bearer "))
    assert client.http.post("/logout").status_code == 204
    assert client.get("/projects").status_code == 401
    assert client.http.post("/logout").status_code == 401
    assert program.http.post("/logout").status_code == 409
    assert program.get("/projects").status_code == 200


def test_logging_out_with_a_session_cookie_ends_the_session(guarded: Server) -> None:
    account = asyncio.run(guarded.store.people.account_by_email("ann@example.org"))
    assert account is not None
    browser = session(guarded.store, account[0])
    logout = httpx.post(f"{guarded.url}/api/v1/logout", headers=browser)
    assert (logout.status_code, "signalbox_session=;" in logout.headers["set-cookie"]) == (204, True)
    assert guarded.get("/api/tasks", headers=browser).status_code == 401


def test_a_project_without_membership_is_403_and_an_unknown_project_is_404(guarded: Server) -> None:
    guarded.store.create_task("theirs-1", kind="agent", project_id="theirs")
    ann, vic = logged_in(guarded, "ann@example.org"), logged_in(guarded, "vic@example.org")
    for path in ("", "/agent/runs", "/agent/runs/theirs-1", "/agent/runs/theirs-1/stream", "/agent/runs/none"):
        assert ann.get(f"/projects/theirs{path}").status_code == 403, path
        assert ann.get(f"/projects/none{path}").status_code == 404, path
    assert ann.get("/projects/ours/agent/runs/theirs-1").status_code == 404
    assert ann.start("theirs").status_code == 403
    assert vic.project("ours")["status"] == "READY"
    assert vic.start("ours").status_code == 403


def test_a_stream_ends_when_the_right_to_read_it_ends(guarded: Server) -> None:
    guarded.store.create_task("long", kind="agent", project_id="ours")
    guarded.emit("long", "one")
    client = logged_in(guarded, "vic@example.org")
    account = asyncio.run(guarded.store.people.account_by_email("vic@example.org"))
    assert account is not None
    with client.http.stream("GET", "/projects/ours/agent/runs/long/stream") as response:
        lines = response.iter_lines()
        assert next(lines) == ": open"
        guarded.store.people.set_disabled(account[0].account_id, True)
        assert "event: reconnect" in list(lines)
    assert client.get("/projects/ours/agent/runs/long").status_code == 401


def ask(server: Server, request_id: str) -> None:
    payload = {"request_id": request_id, "tool_name": "rm"}
    server.emit("copilot", NewEvent(event_type="permission_request", payload=payload))


def respond(server: Server, headers: Headers, request_id: str) -> httpx.Response:
    body = {"approved": True, "request_id": request_id}
    return server.post("/api/sse/permission-response/copilot", body, headers=headers)


def test_a_session_stream_accepts_its_token_in_the_query_string(guarded: Server) -> None:
    guarded.store.create_task("copilot", project_id="ours")
    reader = token(guarded.store, "reader", project_id="ours", scopes=("read",))
    answerer = token(guarded.store, "answerer", project_id="ours", scopes=("read", "respond"))
    stranger = token(guarded.store, "stranger", project_id="theirs")
    for query, expected in (("", 401), ("?token=wrong", 401), ("?token=stranger", 403)):
        assert guarded.get(f"/api/sse/events/copilot{query}").status_code == expected
    assert guarded.get("/api/sse/health/copilot?token=reader").status_code == 401
    assert guarded.get("/api/sse/health/copilot", headers=reader).status_code == 200
    ann = logged_in(guarded, "ann@example.org").http.headers["Authorization"].removeprefix("Bearer ")
    with (
        SessionClient(guarded.url, "copilot", token="reader") as client,
        SessionClient(guarded.url, "copilot", token=ann) as person,
    ):
        ask(guarded, "r1")
        client.wait_for("permission_request")
        assert [respond(guarded, who, "r1").status_code for who in ({}, reader, stranger)] == [401, 403, 403]
        assert respond(guarded, answerer, "r1").json()["by"] == "token answerer"
        assert client.wait_for("permission_cleared")["data"]["by"] == "token answerer"
        assert person.wait_for("permission_cleared")["data"]["by"] == "token answerer"
        ask(guarded, "r2")
        assert respond(guarded, {"Authorization": f"Bearer {ann}"}, "r2").json()["by"] == "ann@example.org"
        guarded.store.people.revoke_token(
            next(one.token_id for one in asyncio.run(guarded.store.people.tokens()) if one.name == "reader")
        )
        wait_until(lambda: 401 in client.refused)
    assert ann not in guarded.log
    assert "token=" not in guarded.log

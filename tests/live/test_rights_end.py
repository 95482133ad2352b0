"""A stream ends when the rights it was opened with end, and a reconnect is refused with the reason."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from socket import create_connection

import httpx
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from signalbox.store.people import Account, digest_of
from tests.support.people import Headers, person, project, revoke, session, token, wait_until_guarded
from tests.support.server import Server
from tests.support.sse import Message, open_stream
from tests.support.waiting import wait_until

EVENTS, PAGE, LIST = "/sse/tasks/run/events", "/tasks/run/stream", "/live/tasks"


@pytest.fixture(scope="module")
def guarded(shared_server: Server) -> Server:
    project(shared_server.store, "ours")
    shared_server.store.create_task("run", project_id="ours")
    shared_server.emit("run", "one")
    person(shared_server.store, "first@example.org")
    wait_until_guarded(shared_server)
    return shared_server


def last_message(stream: Iterator[Message]) -> Message:
    """Read `stream` to its end and return its last message. The timeout is that of the socket."""
    return list(stream)[-1]


def last_message_after(server: Server, path: str, headers: Headers, end: Callable[[], None]) -> Message:
    """Open a stream, call `end`, and return the last message of the stream."""
    with open_stream(server.url + path, headers=headers, timeout=60) as stream:
        next(stream)
        end()
        return last_message(stream)


@pytest.mark.parametrize("path", [EVENTS, PAGE, LIST, "/sse/events"])
def test_a_stream_ends_when_its_token_is_revoked(guarded: Server, path: str) -> None:
    name = f"for {path}".replace("/", "-")
    headers = token(guarded.store, name)
    end = last_message_after(guarded, path, headers, lambda: revoke(guarded.store, name))
    assert (end.event, end.json["reason"]) == ("reconnect", "rights")
    again = guarded.get(path, headers=headers | {"Accept": "text/event-stream"})
    assert (again.status_code, again.json()["error"]["code"]) == (401, "not_logged_in")
    assert "revoked" in again.json()["error"]["message"]


@pytest.mark.long
def test_a_stream_ends_when_its_token_expires(guarded: Server) -> None:
    headers = token(guarded.store, "short", seconds=7)
    end = last_message_after(guarded, EVENTS, headers, lambda: None)
    assert (end.event, end.json["reason"]) == ("reconnect", "rights")
    assert guarded.get(EVENTS, headers=headers).status_code == 401


@pytest.fixture
def ann(guarded: Server, request: pytest.FixtureRequest) -> Account:
    name = re.sub(r"\W+", "-", request.node.name).strip("-")
    return person(guarded.store, f"{name[-40:]}@example.org", ours="operator")


def test_a_stream_ends_with_the_session(guarded: Server, ann: Account) -> None:
    headers = session(guarded.store, ann)
    secret = headers["Cookie"].partition("=")[2]
    end = last_message_after(guarded, PAGE, headers, lambda: guarded.store.people.end_session(digest_of(secret)))
    assert (end.event, end.json["reason"]) == ("reconnect", "rights")


def test_logging_out_ends_only_the_streams_of_this_browser(guarded: Server, ann: Account) -> None:
    this_browser, other_browser = session(guarded.store, ann), session(guarded.store, ann)
    with open_stream(guarded.url + EVENTS, headers=other_browser) as other:
        end = last_message_after(
            guarded, PAGE, this_browser, lambda: ignore_result(guarded.post("/logout", headers=this_browser))
        )
        assert end.json["reason"] == "rights"
        guarded.emit("run", "still here")
        assert next(m for m in other if "still here" in m.data)


def ignore_result(_: object) -> None:
    pass


def test_a_stream_ends_with_the_membership_and_a_reconnect_is_403(guarded: Server, ann: Account) -> None:
    headers = session(guarded.store, ann)
    people = guarded.store.people
    end = last_message_after(guarded, EVENTS, headers, lambda: people.set_member("ours", ann.account_id, None))
    assert (end.event, end.json["reason"]) == ("reconnect", "rights")
    again = guarded.get(EVENTS, headers=headers)
    assert again.status_code == 403
    assert "'ours'" in again.json()["error"]["message"]


@pytest.mark.parametrize("path", [PAGE, LIST])
def test_a_changed_role_makes_pages_reload(guarded: Server, ann: Account, path: str) -> None:
    headers, people = session(guarded.store, ann), guarded.store.people
    end = last_message_after(guarded, path, headers, lambda: people.set_member("ours", ann.account_id, "viewer"))
    assert (end.event, end.json) == ("reset", {"reason": "rights"})


def test_changes_of_other_accounts_end_no_stream(guarded: Server, ann: Account) -> None:
    with open_stream(guarded.url + EVENTS, headers=session(guarded.store, ann)) as stream:
        other = person(guarded.store, "passing@example.org", ours="owner")
        guarded.store.people.remove_account(other.account_id)
        token(guarded.store, "passing")
        revoke(guarded.store, "passing")
        assert guarded.get("/api/tasks", headers={"Authorization": "Bearer passing"}).status_code == 401
        guarded.emit("run", "goes on")
        assert next(m for m in stream if "goes on" in m.data)


def test_a_websocket_ends_with_its_token_and_a_reconnect_gets_the_reason(guarded: Server) -> None:
    token(guarded.store, "socket")
    url = f"{guarded.url.replace('http', 'ws')}/ws/tasks/run/events?token=socket"
    with connect(url, close_timeout=0.2) as socket:
        socket.recv(60)
        revoke(guarded.store, "socket")
        list(socket)
        assert socket.close_code == 1001
    with connect(url, close_timeout=0.2) as socket:
        with pytest.raises(ConnectionClosed):
            socket.recv(60)
        assert (socket.close_code, "revoked" in (socket.close_reason or "")) == (4401, True)


def test_anonymous_streams_end_when_the_first_account_is_created(start_server: Callable[..., Server]) -> None:
    server = start_server()
    server.emit("run", "one")
    end = last_message_after(server, EVENTS, {}, lambda: ignore_result(person(server.store, "first@example.org")))
    assert end.json["reason"] == "rights"
    assert server.get(EVENTS).status_code == 401


def test_one_caller_cannot_use_all_streams(start_server: Callable[..., Server]) -> None:
    server = start_server(max_streams_per_caller=2)
    server.emit("run", "one")
    greedy, modest = token(server.store, "greedy"), token(server.store, "modest")
    wait_until_guarded(server)
    url = server.url + EVENTS
    with open_stream(url, headers=greedy) as first, open_stream(url, headers=greedy) as second:
        next(first), next(second)
        refused = server.get(EVENTS, headers=greedy)
        assert (refused.status_code, refused.json()["error"]["code"]) == (429, "too_many_streams")
        assert int(refused.headers["retry-after"]) >= 1
        with open_stream(url, headers=modest) as three:
            next(three)


def test_connecting_at_once_does_not_beat_the_limit_of_a_caller(start_server: Callable[..., Server]) -> None:
    server = start_server(max_streams_per_caller=5)
    server.emit("run", "one")
    greedy = token(server.store, "greedy")
    wait_until_guarded(server)
    request = f"GET {EVENTS} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: {greedy['Authorization']}\r\n\r\n".encode()
    with ExitStack() as opened:
        connections = [
            opened.enter_context(create_connection(("127.0.0.1", server.port), timeout=60)) for _ in range(40)
        ]
        for connection in connections:
            connection.sendall(request)
        statuses = Counter(connection.recv(12)[9:] for connection in connections)
    assert statuses == {b"200": 5, b"429": 35}
    # None of them is counted for ever.
    wait_until(lambda: opens(server, greedy), message="the places were not given up")
    for _ in range(6):
        # A stream that never begins does not keep its place either.
        assert httpx.head(server.url + EVENTS, headers=greedy, timeout=60).status_code == 200


def opens(server: Server, headers: Headers) -> bool:
    with httpx.stream("GET", server.url + EVENTS, headers=headers, timeout=60) as response:
        return response.status_code == 200


def test_a_token_in_a_query_string_works_only_for_streams_and_is_never_logged(
    start_server: Callable[..., Server],
) -> None:
    server = start_server(log_level="debug")
    server.emit("run", "one")
    secret = "sbx_never-to-be-written"
    token(server.store, secret)
    wait_until_guarded(server)
    query = f"?token={secret}"
    for path in (EVENTS, "/sse/events", "/api/sse/events/run"):
        with open_stream(f"{server.url}{path}{query}") as stream:
            next(stream)
    with connect(f"{server.url.replace('http', 'ws')}/ws/tasks/run/events{query}", close_timeout=0.2) as socket:
        socket.recv(60)
    for path in ("/api/tasks", "/tasks/run/stream", "/sse/health/x", "/metrics", "/api/tasks/run/events"):
        assert server.get(path + query).status_code in (401, 404), path
    assert server.post(f"/api/tasks/run/events{query}", {"event_type": "log"}).status_code == 401
    assert server.get(f"{EVENTS}{query}&since_seq=x").status_code == 400
    server.stop()
    assert secret not in server.log

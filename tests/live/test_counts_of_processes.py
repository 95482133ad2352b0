"""Several web processes on one store: each knows the rights, the streams and the changes of the others."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import httpx
import pytest

from signalbox.store import NewEvent
from signalbox.store.events import new_id
from tests.support import postgres
from tests.support.people import Headers, person, project, revoke, session, token, wait_until_guarded
from tests.support.server import Server
from tests.support.session_client import SessionClient
from tests.support.shared_postgres import create_database
from tests.support.sse import open_stream
from tests.support.waiting import wait_until

KINDS = ["sqlite"] + (["postgresql"] if postgres.programs() is not None else [])

SOON = 20.0
"""Seconds within which a process knows of a change by another one. A quiet machine needs one, a poll thirty."""

LIMIT = 3
EVENTS, LIST = "/sse/tasks/run/events", "/live/tasks"


@pytest.fixture(scope="module", params=KINDS)
def processes(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Server]]:
    """Return three servers on one store, which identify their callers. They poll too rarely for it to matter here."""
    folder = tmp_path_factory.mktemp("processes")
    url = create_database() if request.param == "postgresql" else f"sqlite:///{folder}/signalbox.db"
    settings = {"poll_interval": 30, "max_poll_interval": 30, "max_streams_per_caller": LIMIT, "login_attempts": 3}
    servers = []
    try:
        for number in range(3):
            (folder / str(number)).mkdir()
            servers.append(Server(folder / str(number), store_url=url, **settings).start())
        project(servers[0].store, "ours")
        servers[0].store.create_task("run", project_id="ours")
        servers[0].emit("run", "one")
        person(servers[0].store, "first@example.org")
        for server in servers:
            wait_until_guarded(server)
        yield servers
    finally:
        for server in servers:
            server.close()
            assert "Traceback" not in server.log, server.log


@pytest.fixture
def headers(request: pytest.FixtureRequest, processes: list[Server]) -> Headers:
    # The name is new for each try, because a test that is run again finds the token of its first try.
    return token(processes[0].store, f"{request.node.name[:60]} {new_id()}")


def end_all(processes: list[Server], path: str, headers: Headers, end: Callable[[], object]) -> list[str]:
    """Open a stream on each process, call `end`, and return the last data of each stream."""
    with ExitStack() as stack:
        streams = [stack.enter_context(open_stream(server.url + path, headers=headers)) for server in processes]
        for stream in streams:
            next(stream)
        ended = time.monotonic()
        end()
        last = [list(stream)[-1].data for stream in streams]
        assert time.monotonic() - ended < SOON
    return last


def health(server: Server, session_id: str, headers: Headers) -> dict[str, object]:
    found: dict[str, object] = server.get(f"/api/sse/health/{session_id}", headers=headers).json()
    return found


def test_a_revoked_token_loses_its_streams_on_every_process(processes: list[Server]) -> None:
    headers = token(processes[0].store, "revoked everywhere")
    ends = end_all(processes, EVENTS, headers, lambda: revoke(processes[0].store, "revoked everywhere"))
    assert all("rights" in end for end in ends), ends
    assert [server.get(EVENTS, headers=headers).status_code for server in processes] == [401] * 3


def test_a_removed_member_loses_their_streams_on_every_process(processes: list[Server]) -> None:
    store = processes[0].store
    account = person(store, "removed@example.org", ours="operator")
    headers = session(store, account)
    ends = end_all(processes, LIST, headers, lambda: store.people.set_member("ours", account.account_id, None))
    assert all("rights" in end for end in ends), ends
    assert [server.get(EVENTS, headers=headers).status_code for server in processes] == [403] * 3


def test_the_limit_of_a_caller_counts_the_streams_of_all_processes(processes: list[Server], headers: Headers) -> None:
    other = token(processes[0].store, "modest")
    with ExitStack() as stack:
        streams = [stack.enter_context(open_stream(server.url + EVENTS, headers=headers)) for server in processes]
        for stream in streams:
            next(stream)
        opened = time.monotonic()
        for server in processes:
            wait_until(lambda server=server: refuses(server, headers))
        assert time.monotonic() - opened < SOON
        next(stack.enter_context(open_stream(processes[0].url + EVENTS, headers=other)))
    wait_until(lambda: not any(refuses(server, headers) for server in processes))


def refuses(server: Server, headers: Headers) -> bool:
    """Try to open one more stream, and return whether it is refused because of the limit."""
    try:
        with open_stream(server.url + EVENTS, headers=headers) as stream:
            next(stream)
    except httpx.HTTPStatusError as error:
        return error.response.status_code == 429
    return False


def counted(server: Server, headers: Headers) -> tuple[int, int]:
    """Return the numbers of processes and of streams that a server reports."""
    found = server.get("/sse/health", headers=headers).json()
    return found["processes"], found["streams"]


@pytest.mark.long
def test_health_counts_the_streams_of_all_processes_and_forgets_a_killed_one(
    processes: list[Server], headers: Headers
) -> None:
    one, two, three = processes
    one.post("/api/tasks", {"task_id": "session", "kind": "session", "project_id": "ours"}, headers=headers)
    secret = headers["Authorization"].removeprefix("Bearer ")
    with (
        SessionClient(two.url, "session", token=secret),
        SessionClient(three.url, "session", token=secret),
    ):
        for server in processes:
            wait_until(lambda server=server: health(server, "session", headers)["connections"] == 2)
            # Streams of the test before may still be counted for a moment.
            wait_until(lambda server=server: counted(server, headers) == (3, 2))
        killed = time.monotonic()
        three.kill()
        wait_until(lambda: health(one, "session", headers)["connections"] == 1)
        wait_until(lambda: one.get("/sse/health", headers=headers).json()["processes"] == 2)
        assert time.monotonic() - killed < 60
        three.start()
        wait_until(lambda: health(one, "session", headers)["connections"] == 2)
    for server in processes:
        wait_until(lambda server=server: health(server, "session", headers)["connections"] == 0)


def test_a_list_shows_what_another_process_archived(processes: list[Server], headers: Headers) -> None:
    one, two, _ = processes
    one.store.create_task("put-away", title="A task to archive", project_id="ours")
    with open_stream(f"{two.url}{LIST}?since=0", headers=headers) as stream:
        assert next(message for message in stream if "A task to archive" in message.data)
        archived = time.monotonic()
        one.store.archive_task("put-away", True, actor="ann")
        assert next(message for message in stream if message.data and "A task to archive" not in message.data)
        assert time.monotonic() - archived < SOON


def test_the_count_of_open_permissions_follows_other_processes(processes: list[Server], headers: Headers) -> None:
    one, two, _ = processes
    with open_stream(f"{two.url}{LIST}?since=0", headers=headers) as stream:
        before = counts(next(message.data for message in stream if "permissions_open" in message.data))
        one.emit("run", NewEvent(event_type="permission_request", payload={"request_id": "r", "tool_name": "rm"}))
        assert next(message for message in stream if f'"permissions_open":{before + 1}' in message.data)
        answer = {"request_id": "r", "approved": True}
        assert one.post("/api/sse/permission-response/run", answer, headers=headers).status_code == 200
        assert next(message for message in stream if f'"permissions_open":{before}' in message.data)


def counts(greeting: str) -> int:
    return int(greeting.partition('"permissions_open":')[2].partition("}")[0].partition(",")[0])

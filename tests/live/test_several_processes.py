"""Three web processes on one PostgreSQL database: viewers of each see what happens in the others, at once."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from signalbox.store import NewEvent, open_store
from tests.support import postgres
from tests.support.dom import parse
from tests.support.nginx import nginx_before_several
from tests.support.people import revoke, token
from tests.support.redis import RedisServer
from tests.support.server import Server
from tests.support.session_client import SessionClient, answer, emit
from tests.support.shared_postgres import create_database
from tests.support.sse import open_stream
from tests.support.waiting import wait_until

pytestmark = pytest.mark.skipif(postgres.programs() is None, reason=postgres.MISSING)

SOON = 5.0
"""Seconds within which an event of another process is shown. A quiet machine needs a hundredth of it, a poll thirty."""


class Processes:
    """Three servers on one database. With `redis` they wake each other through it, else through PostgreSQL."""

    def __init__(self, folder: Path, redis: RedisServer | None) -> None:
        self.store_url = create_database()
        self.bus = redis.url if redis else ""
        self.servers = []
        for number in range(3):
            (folder / str(number)).mkdir()
            # A slow poll, so that an event that arrives soon was not found by polling.
            settings = {"poll_interval": 30, "max_poll_interval": 30, "bus_url": self.bus}
            self.servers.append(Server(folder / str(number), store_url=self.store_url, **settings))

    def start(self) -> None:
        for server in self.servers:
            server.start()

    def close(self) -> None:
        for server in self.servers:
            server.close()
            assert "Traceback" not in server.log, server.log


@pytest.fixture(scope="module", params=["notify", "redis"])
def processes(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Processes]:
    folder = tmp_path_factory.mktemp("processes")
    redis = RedisServer(folder / "redis").start() if request.param == "redis" else None
    running = Processes(folder, redis)
    try:
        running.start()
        yield running
    finally:
        running.close()
        if redis:
            redis.kill()


@pytest.mark.long
def test_an_event_reaches_the_viewers_of_all_processes_once_and_soon(processes: Processes) -> None:
    one, two, three = processes.servers
    one.emit("run", "first")
    delays: list[float] = []
    with (
        open_stream(f"{two.url}/sse/tasks/run/events?flush_interval=0.1") as second,
        open_stream(f"{three.url}/sse/tasks/run/events?flush_interval=0.1") as third,
    ):
        assert [next(second).id, next(second).id, next(third).id, next(third).id] == [None, "1", None, "1"]
        for seq in range(2, 22):
            time.sleep(0.12)  # Past the flush interval, so that the streams write each event at once.
            sent = time.monotonic()
            emit(one.url, "run", "log", message="more")
            assert (next(second).id, next(third).id) == (str(seq), str(seq))
            delays.append(time.monotonic() - sent)
    assert statistics.median(delays) < SOON, delays


def test_an_answer_posted_to_another_process_reaches_the_waiting_session_soon(processes: Processes) -> None:
    asking, answering, copilot = processes.servers
    asking.post("/api/tasks", {"task_id": "session", "kind": "session"})
    delays = []
    with SessionClient(copilot.url, "session") as client:
        for number in range(10):
            request_id = f"r{number}"
            emit(asking.url, "session", "permission_request", request_id=request_id, tool_name="rm")
            client.wait_for("permission_request", lambda data, wanted=request_id: data["request_id"] == wanted)
            sent = time.monotonic()
            assert answer(answering.url, "session", True, request_id=request_id).status_code == 200
            answered = time.monotonic()
            cleared = client.wait_for(
                "permission_cleared", lambda data, wanted=request_id: data["request_id"] == wanted
            )
            delays.append(max(0.0, cleared["came"] - answered))
            assert cleared["came"] > sent
    assert statistics.median(delays) < SOON, delays


def test_a_page_is_the_same_from_every_process(processes: Processes) -> None:
    one, *others = processes.servers
    one.emit("page", NewEvent(event_type="phase_enter", phase="executing", span_id="s"), "one", "two")

    def content(server: Server, path: str) -> list[str]:
        (main,) = parse(server.get(path).text).all("main")
        return [line.replace(server.url, "URL") for line in main.lines()]

    for path in ("/tasks/page", "/tasks", "/tasks/page?at=2"):
        assert all(content(other, path) == content(one, path) for other in others), path


def test_a_revoked_token_ends_its_streams_in_all_processes(tmp_path: Path) -> None:
    url = create_database()
    store = open_store(url)
    headers = token(store, "viewer", scopes=("read",))
    store.append("run", NewEvent(event_type="log", payload={"message": "hello"}))
    (tmp_path / "a").mkdir()
    server = Server(tmp_path / "a", store_url=url).start()
    try:
        with open_stream(f"{server.url}/sse/tasks/run/events", headers=headers) as stream:
            assert [next(stream).id, next(stream).id] == [None, "1"]
            revoked = time.monotonic()
            revoke(store, "viewer")
            last = list(stream)[-1]
        assert "rights" in last.data
        assert time.monotonic() - revoked < 20
        assert server.get("/sse/tasks/run/events", headers=headers).status_code == 401
    finally:
        store.close()
        server.close()


def test_every_event_reaches_viewers_behind_a_proxy_while_processes_are_killed(
    processes: Processes, tmp_path: Path
) -> None:
    first = processes.servers[0]
    first.post("/api/tasks", {"task_id": "kills", "kind": "session"})
    with nginx_before_several([server.port for server in processes.servers], tmp_path / "nginx") as proxy:
        viewers = [SessionClient(proxy, "kills", since="0") for _ in range(6)]
        try:
            for round_ in range(3):
                for number in range(20):
                    first.emit("kills", NewEvent(event_type="tool_status", payload={"status": f"{round_}.{number}"}))
                victim = processes.servers[round_]
                victim.kill()
                for number in range(20, 40):
                    first.emit("kills", NewEvent(event_type="tool_status", payload={"status": f"{round_}.{number}"}))
                victim.start()
            wanted = [str(seq) for seq in range(1, 121)]
            for viewer in viewers:
                wait_until(lambda viewer=viewer: len(viewer.ids) >= len(wanted))
                assert viewer.ids == wanted
            assert sum(viewer.connects for viewer in viewers) > len(viewers)
        finally:
            for viewer in viewers:
                viewer.close()

"""Two servers on one database: what must be done once is done by one of them, and by the other when that one ends."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from signalbox.store import NewEvent
from tests.support import postgres
from tests.support.agents import project
from tests.support.log import log_of
from tests.support.server import Server
from tests.support.shared_postgres import create_database
from tests.support.upstream import Upstream
from tests.support.waiting import wait_until

TAKEOVER_LIMIT = 40.0
"""Seconds within which a process continues the work of one that was killed. A quiet machine needs up to 8."""

OK = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"

needs_postgres = pytest.mark.skipif(postgres.programs() is None, reason=postgres.MISSING)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=needs_postgres)])
def servers(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[list[Server]]:
    url = create_database() if request.param == "postgresql" else f"sqlite:///{tmp_path}/signalbox.db"
    started = [Server(tmp_path, store_url=url, heartbeat_timeout=2.0) for _ in range(2)]
    try:
        for server in started:
            server.start()
        yield started
    finally:
        for server in started:
            server.close()
            assert "Traceback" not in server.log, server.log


def supervising(servers: list[Server]) -> list[Server]:
    return [server for server in servers if "signalbox_supervising 1.0" in server.get("/metrics").text]


@pytest.mark.long
def test_one_server_supervises_and_the_other_takes_over(servers: list[Server]) -> None:
    run = NewEvent(event_type="runner_spawn", payload={"heartbeat_interval": 3600})
    servers[0].emit("runs", run)
    (first,) = wait_until(lambda: supervising(servers))
    (other,) = (server for server in servers if server is not first)
    first.kill()
    killed = time.monotonic()
    wait_until(lambda: supervising([other]))
    assert time.monotonic() - killed < TAKEOVER_LIMIT
    other.emit("dies", NewEvent(event_type="runner_spawn", payload={"heartbeat_interval": 0.1}))
    wait_until(lambda: [event for event in log_of(other.store, "dies") if event.payload.get("status") == "interrupted"])
    first.start()
    other.stop()
    stopped = time.monotonic()
    wait_until(lambda: supervising([first]))
    assert time.monotonic() - stopped < TAKEOVER_LIMIT


@pytest.mark.long
def test_a_run_of_an_agent_server_is_relayed_once_and_continues_when_its_process_is_killed(
    servers: list[Server],
) -> None:
    upstream = Upstream(["id: 1\nevent: log\ndata: one", "id: 2\nevent: log\ndata: two"])
    upstream.idle = True
    upstream.respond = lambda connection: None if upstream.requests[connection].split()[1].endswith("/stream") else OK

    def streams() -> int:
        return sum(request.startswith("GET /runs/r1/stream") for request in upstream.requests)

    first, other = servers
    project(first.store, {"kind": "upstream", "url": upstream.url.removesuffix("/stream")})
    assert first.post("/api/v1/projects/p/agent/runs", {"run_id": "r1"}).status_code == 201
    wait_until(lambda: first.latest("r1") >= 3)
    time.sleep(6)  # Longer than the other process needs to find the run.
    assert streams() == 1
    first.kill()
    killed = time.monotonic()
    wait_until(lambda: streams() == 2)
    assert time.monotonic() - killed < TAKEOVER_LIMIT
    assert other.get("/api/tasks/r1").json()["status"] == "running"
    lines = [event.payload["message"] for event in log_of(other.store, "r1") if event.event_type == "log"]
    assert lines == ["one", "two"]

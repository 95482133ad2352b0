"""The proxies of `deploy/` in front of three processes, with TLS and HTTP/2, while processes end."""

from __future__ import annotations

import asyncio
import json
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

import httpx
import pytest
import websockets

from tests.support import postgres
from tests.support.deployed import caddy_before_fleet, certificate, nginx_before_fleet
from tests.support.server import Server
from tests.support.shared_postgres import create_database
from tests.support.sse import open_stream

pytestmark = pytest.mark.skipif(postgres.programs() is None, reason=postgres.MISSING)

LEFT_OUT_S = 2.0
"""Seconds for which the proxies send nothing to a process that a request could not reach. Then they try it again."""

Proxy = Callable[..., AbstractContextManager[str]]


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Server]]:
    url, running = create_database(), []
    for _ in range(3):
        folder = tmp_path_factory.mktemp("server")
        running.append(Server(folder, store_url=url, trusted_proxies="127.0.0.1").start())
    yield running
    for server in running:
        server.close()
        assert "Traceback" not in server.log, server.log


@pytest.fixture(scope="module", params=[nginx_before_fleet, caddy_before_fleet], ids=["nginx", "caddy"])
def address(
    request: pytest.FixtureRequest, servers: list[Server], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("proxy")
    before: Proxy = request.param
    with before([server.port for server in servers], folder, certificate(folder)) as url:
        yield url


@pytest.mark.long
def test_pages_come_over_http_2(address: str, servers: list[Server]) -> None:
    servers[0].emit("page", "one")
    curl = ["curl", "--http2", "--insecure", "--silent", "--output", "/dev/null", "--write-out"]
    done = subprocess.run(
        [*curl, "%{http_version} %{http_code}", f"{address}/tasks/page"], capture_output=True, text=True, check=True
    )
    assert done.stdout == "2 200"


def test_events_of_any_process_reach_streams_and_websockets_of_the_proxy(address: str, servers: list[Server]) -> None:
    task = f"live-{address.rpartition(':')[2]}"
    servers[0].emit(task, "first")
    trusting = ssl.create_default_context()
    trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE

    async def first_message() -> int:
        url = f"{address.replace('https:', 'wss:')}/ws/tasks/{task}/events?since_seq=1"
        async with websockets.connect(url, ssl=trusting, max_queue=None) as socket:
            servers[1].emit(task, "second")
            return int(json.loads(await asyncio.wait_for(socket.recv(), 60))["seq"])

    assert asyncio.run(first_message()) == 2
    with open_stream(f"{address}/sse/tasks/{task}/events", verify=False) as stream:
        assert [next(stream).id for _ in range(3)] == [None, "1", "2"]
        servers[2].emit(task, "third")
        assert next(stream).id == "3"


@pytest.mark.long
def test_requests_go_to_the_other_processes_while_one_is_down(address: str, servers: list[Server]) -> None:
    victim = servers[1]
    victim.kill()
    try:
        with httpx.Client(base_url=address, verify=False, timeout=60) as client:
            assert {client.get("/api/tasks").status_code for _ in range(12)} == {200}
            posts, until = [], time.monotonic() + LEFT_OUT_S + 1
            while time.monotonic() < until or len(posts) < 12:
                posts.append(client.post("/api/tasks/posted/events", json={"event_type": "log"}).status_code)
                time.sleep(0.05)
        assert set(posts) == {201}
    finally:
        victim.start()

"""Every documented proxy configuration: pages, log-ins, streams and WebSockets, with a path prefix and without."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import httpx
import pytest
import websockets

from tests.support.machine_speed import slowness
from tests.support.people import PASSWORD, person, token
from tests.support.proxies import PREFIX, PROGRAMS, proxy_before
from tests.support.server import Server
from tests.support.sse import open_stream

PROXY = pytest.mark.parametrize("name", PROGRAMS)
PLACE = pytest.mark.parametrize("prefix", ["", PREFIX], ids=["root", "below"])
TOKEN = "a-token-for-proxies"


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Server]]:
    """Start a server at the root and one below the prefix, each with an account, a token and a trusted proxy."""
    found: dict[str, Server] = {}
    for prefix in ("", PREFIX):
        server = Server(tmp_path_factory.mktemp("server"), trusted_proxies="127.0.0.1", root_path=prefix)
        person(server.store, "op@example.org", admin=True)
        token(server.store, TOKEN)
        server.emit("long", *["a line that is long enough to be held back " * 4] * 20)
        found[prefix] = server.start()
    yield found
    for server in found.values():
        server.close()
        assert "Traceback" not in server.log, server.log


@pytest.fixture(scope="module")
def proxy(servers: dict[str, Server], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], str]]:
    """A function that returns the URL of the named proxy; each proxy is started once."""
    with ExitStack() as stack:
        started: dict[str, str] = {}

        def start(name: str) -> str:
            if name not in started:
                ports = servers[""].port, servers[PREFIX].port
                started[name] = stack.enter_context(proxy_before(name, *ports, tmp_path_factory.mktemp(name)))
            return started[name]

        yield start


@PROXY
@PLACE
def test_a_person_logs_in_and_sees_a_page(proxy: Callable[[str], str], name: str, prefix: str) -> None:
    address = proxy(name)
    navigation = {"Accept": "text/html", "Sec-Fetch-Mode": "navigate"}
    with httpx.Client(base_url=f"{address}{prefix}", headers=navigation, timeout=60) as browser:
        redirect = browser.get("/tasks/long")
        assert (redirect.status_code, redirect.headers["Location"]) == (303, f"{prefix}/login?next={prefix}/tasks/long")
        form = {"email": "op@example.org", "password": PASSWORD, "next": f"{prefix}/tasks/long"}
        # A browser without Sec-Fetch-Site: Origin and Host must agree, port included.
        inside = browser.post("/login", data=form, headers={"Origin": address})
        assert (inside.status_code, inside.headers["Location"]) == (303, f"{prefix}/tasks/long"), inside.text
        page = browser.get("/tasks/long")
        assert page.status_code == 200
        assert "held back" in page.text
        assert browser.get("/static/css/app.css").status_code == 200


@PROXY
@PLACE
def test_events_pass_through_the_proxy_at_once(
    proxy: Callable[[str], str], servers: dict[str, Server], name: str, prefix: str
) -> None:
    server, task = servers[prefix], f"live-{name}"
    server.emit(task, *["a line that is long enough to be held back " * 4] * 20)
    headers = {"Authorization": f"Bearer {TOKEN}", "Accept-Encoding": "gzip, zstd, br"}
    with open_stream(f"{proxy(name)}{prefix}/sse/tasks/{task}/events", timeout=60, headers=headers) as stream:
        assert next(stream).comment == "open"
        assert [next(stream).id for _ in range(20)] == [str(seq) for seq in range(1, 21)]
        elapsed = []
        for seq in range(21, 28):
            sent = time.monotonic()
            server.emit(task, "more")
            assert next(stream).id == str(seq)
            elapsed.append(time.monotonic() - sent)
    # A proxy that holds messages back delays all of them; a busy machine may delay most.
    assert sorted(elapsed)[1] < 0.15 * slowness(), elapsed


@PROXY
@PLACE
def test_a_websocket_passes_through_the_proxy(proxy: Callable[[str], str], name: str, prefix: str) -> None:
    address = proxy(name)

    async def first_event() -> dict[str, object]:
        url = f"{address.replace('http:', 'ws:')}{prefix}/ws/tasks/long/events?since_seq=3"
        bearer = {"Authorization": f"Bearer {TOKEN}"}
        # With an unlimited queue the client reads on while it closes. Otherwise closing may take 10 s.
        connecting = websockets.connect(
            url, origin=websockets.Origin(address), additional_headers=bearer, max_queue=None
        )
        async with connecting as socket:
            found: dict[str, object] = json.loads(await asyncio.wait_for(socket.recv(), 60))
            return found

    assert asyncio.run(first_event())["seq"] == 4


@pytest.mark.long
@PROXY
def test_the_server_records_the_client_address_behind_a_proxy(
    proxy: Callable[[str], str], servers: dict[str, Server], name: str
) -> None:
    forged = {"X-Forwarded-For": "203.0.113.9", "Forwarded": "for=203.0.113.9", "Accept": "application/json"}
    address = f"{proxy(name)}/api/v1/login"
    response = httpx.post(address, json={"email": "op@example.org", "password": PASSWORD}, headers=forged, timeout=60)
    assert response.status_code == 200
    bearer = {"Authorization": f"Bearer {response.json()['token']}", "Accept": "text/html"}
    audits = servers[""].get("/audits", headers=bearer).text
    assert "127.0.0.1" in audits
    assert "203.0.113.9" not in audits

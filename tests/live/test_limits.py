"""Limits that protect clients from each other: stalled readers, the life of a stream, other origins."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from signalbox.store import NewEvent
from tests.support.server import Server
from tests.support.sse import open_stream
from tests.support.waiting import wait_until


def stalled_reader(server: Server, path: str) -> socket.socket:
    """Request a stream and return the socket without reading from it."""
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.connect(("127.0.0.1", server.port))
    client.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
    return client


def metric(server: Server, name: str) -> float:
    lines = server.get("/metrics").text.splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith(f"signalbox_{name} "))


def large_events(count: int) -> list[NewEvent]:
    return [NewEvent(event_type="log", payload={"message": "x" * 5000})] * count


@pytest.mark.long
def test_stalled_readers_delay_no_other_client_and_are_disconnected(start_server: Callable[..., Server]) -> None:
    server = start_server(send_timeout=1.5, keepalive_interval=1)
    server.emit("run", *large_events(1))
    stalled = [stalled_reader(server, "/sse/tasks/run/events") for _ in range(5)]
    with open_stream(f"{server.url}/sse/tasks/run/events") as stream, ThreadPoolExecutor(1) as other:
        seen = 0
        other.submit(lambda: [server.emit("run", *large_events(50)) for _ in range(30)])
        for message in stream:
            seen += message.id is not None
            if seen == 1501:
                break
        assert server.get("/sse/health").json()["streams"] >= 1
        wait_until(lambda: metric(server, "stalls_ended_total") == 5)
        wait_until(lambda: server.get("/sse/health").json()["streams"] == 1)
    for client in stalled:
        client.close()


def test_a_stream_ends_after_its_maximum_life(start_server: Callable[..., Server]) -> None:
    server = start_server(max_stream_life=1.5, keepalive_interval=0.5)
    server.emit("run", "one")
    started_at = time.monotonic()
    with open_stream(f"{server.url}/sse/tasks/run/events") as stream:
        last = list(stream)[-1]
    assert (last.event, last.json["reason"]) == ("reconnect", "max_stream_life")
    assert time.monotonic() - started_at > 1.0


def test_a_client_that_disconnects_frees_its_stream(server: Server) -> None:
    server.emit("gone", "one")
    with open_stream(f"{server.url}/sse/tasks/gone/events") as stream:
        next(stream)
        assert server.get("/sse/health").json()["streams"] == 1
    wait_until(lambda: server.get("/sse/health").json()["streams"] == 0)


def test_other_origins_may_read_only_if_cors_origins_names_them(start_server: Callable[..., Server]) -> None:
    server = start_server(cors_origins="https://board.example")
    server.emit("run", "one")
    for path in ("/api/tasks/run/events", "/api/tasks/nobody/events"):
        allowed = server.get(path, headers={"Origin": "https://board.example"})
        assert allowed.headers["access-control-allow-origin"] == "https://board.example"
        assert "Origin" in allowed.headers["vary"]
        other = server.get(path, headers={"Origin": "https://evil.example"})
        assert "access-control-allow-origin" not in other.headers
    with httpx.stream(
        "GET", f"{server.url}/sse/tasks/run/events", headers={"Origin": "https://board.example"}
    ) as response:
        assert response.headers["access-control-allow-origin"] == "https://board.example"
    preflight = httpx.options(
        f"{server.url}/api/tasks/run/events",
        headers={"Origin": "https://board.example", "Access-Control-Request-Method": "POST"},
    )
    assert preflight.status_code == 204
    assert "POST" in preflight.headers["access-control-allow-methods"]

"""A busy server: clients that disconnect, and many clients at once, delay no other client."""

from __future__ import annotations

import socket
import sqlite3
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import httpx

from tests.support.people import token
from tests.support.server import Server


def post_without_reading(server: Server, path: str) -> socket.socket:
    """Send a POST and return the socket without reading the response."""
    body = b'{"event_type": "log"}'
    client = socket.create_connection(("127.0.0.1", server.port))
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    client.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
    return client


def test_a_client_that_disconnects_delays_no_other_client(start_server: Callable[..., Server]) -> None:
    server = start_server()
    server.emit("run", "one")
    other = sqlite3.connect(server.path, isolation_level=None, check_same_thread=False)
    with ThreadPoolExecutor(8) as pool:
        other.execute("BEGIN IMMEDIATE")
        first = pool.submit(server.post, "/api/tasks/run/events", {"event_type": "log"}, timeout=20)
        time.sleep(0.3)
        leaving = [post_without_reading(server, "/api/tasks/run/events") for _ in range(3)]
        time.sleep(0.1)
        staying = [pool.submit(server.post, f"/api/tasks/run-{n}/events", {"event_type": "log"}) for n in range(4)]
        time.sleep(0.3)
        for client in leaving:
            client.close()
        time.sleep(0.3)
        other.execute("ROLLBACK")
        assert [request.result(60).status_code for request in [first, *staying]] == [201] * 5
    other.close()
    with httpx.stream("GET", f"{server.url}/sse/events", timeout=60) as response:
        received = 0
        for line in response.iter_lines():
            received += line.startswith("data:")
            if received >= 6:
                break
    assert server.get("/api/tasks/run-3").json()["latest_seq"] == 1


def test_many_clients_with_a_project_token_are_served_after_a_restart(start_server: Callable[..., Server]) -> None:
    server = start_server()
    server.emit("run", "one")
    credentials = token(server.store, "reader", project_id="default", scopes=("read",))
    server.kill()
    server.start()

    def status_of(path: str) -> int:
        with httpx.stream("GET", server.url + path, headers=credentials, timeout=60) as response:
            return response.status_code

    with ThreadPoolExecutor(16) as pool:
        for path in ("/sse/events?task=run", "/tasks/run", "/tasks/run/frame?since=0", "/compare?a=run&b=run"):
            assert list(pool.map(status_of, [path] * 16)) == [200] * 16

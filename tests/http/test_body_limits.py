"""Limits on request bodies: their size without credentials, and access checks before a body is read."""

from __future__ import annotations

import asyncio
import socket
import time
from contextlib import closing

import httpx
import pytest
from quart import Quart, request

from signalbox.store import NewEvent
from signalbox.webapp.http import body_limits, errors
from signalbox.webapp.live import stream
from tests.support.people import person, revoke, session, token
from tests.support.raw_http import HOST, connect, is_responsive, response_to, serving
from tests.support.server import Server


@pytest.mark.parametrize("path", ["/login", "/api/v1/login", "/logout"])
@pytest.mark.parametrize(
    "kind", [b"application/x-www-form-urlencoded", b"application/json", b"", b"multipart/form-data"]
)
def test_an_unauthenticated_body_over_16_kb_is_refused_before_it_is_sent(
    guarded: Server, path: str, kind: bytes
) -> None:
    head = b"POST %b HTTP/1.1\r\n" % path.encode() + HOST + (b"Content-Type: %b\r\n" % kind if kind else b"")
    assert response_to(guarded, head + b"Content-Length: 16385\r\n\r\n")[0] == 413
    assert response_to(guarded, head + b"Content-Length: 16385\r\nExpect: 100-continue\r\n\r\n")[0] == 413


@pytest.mark.parametrize("path", ["/login", "/api/v1/login"])
def test_an_unauthenticated_chunked_body_is_refused_once_it_exceeds_16_kb(guarded: Server, path: str) -> None:
    form = "application/x-www-form-urlencoded" if path == "/login" else "application/json"
    head = f"POST {path} HTTP/1.1\r\nContent-Type: {form}\r\nTransfer-Encoding: chunked\r\n".encode() + HOST + b"\r\n"
    assert response_to(guarded, head, *[b"1000\r\n" + b"a" * 4096 + b"\r\n"] * 5)[0] == 413


def test_the_response_to_a_refused_body_reaches_the_client(guarded: Server) -> None:
    for more in ({}, {"Connection": "close"}):
        data = b"a" * 3_000_000
        assert httpx.post(f"{guarded.url}/login", content=data, headers=more).status_code == 413
        assert httpx.post(f"{guarded.url}/api/tasks", content=data, headers=more).status_code == 401


def test_rights_are_checked_before_a_body_is_read(guarded: Server) -> None:
    head = b"POST /api/tasks/run/events HTTP/1.1\r\n" + HOST + b"Content-Length: 1000000\r\n"
    assert response_to(guarded, head + b"\r\n")[0] == 401
    assert response_to(guarded, head + b"Expect: 100-continue\r\n\r\n")[0] == 401
    assert response_to(guarded, head + b"Authorization: Bearer reader\r\n\r\n")[0] == 403
    assert (
        b"100 Continue"
        in response_to(guarded, head + b"Authorization: Bearer writer\r\nExpect: 100-continue\r\n\r\n")[1]
    )


def send_beginning(client: socket.socket, head: bytes, body: bytes) -> None:
    """Send the first bytes of a body once the server waits for it, after it has checked the rights of the caller."""
    client.sendall(head + b"Content-Length: %d\r\nExpect: 100-continue\r\n\r\n" % len(body))
    assert client.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
    client.sendall(body[:5])


def test_rights_are_checked_again_after_the_body_arrived(guarded: Server) -> None:
    token(guarded.store, "leaving", scopes=("read", "emit"))
    body = b'{"event_type": "log"}'
    head = b"POST /api/tasks/run/events HTTP/1.1\r\nAuthorization: Bearer leaving\r\n" + HOST
    with closing(connect(guarded)) as client:
        send_beginning(client, head, body)
        revoke(guarded.store, "leaving")
        while guarded.get("/api/tasks", headers={"Authorization": "Bearer leaving"}).status_code != 401:
            time.sleep(0.05)
        client.sendall(body[5:])
        assert client.recv(100).startswith(b"HTTP/1.1 401")
    credentials = {"Authorization": "Bearer writer"}
    assert guarded.get("/api/tasks/run/events", headers=credentials).json()["total"] == 0


def test_a_body_is_refused_if_its_task_was_replaced_while_it_arrived(guarded: Server) -> None:
    token(guarded.store, "local", project_id="default")
    body = b'{"event_type": "log"}'
    head = b"POST /api/tasks/replaced/events HTTP/1.1\r\nAuthorization: Bearer local\r\n" + HOST
    guarded.store.create_task("replaced")
    with closing(connect(guarded)) as client:
        send_beginning(client, head, body)
        guarded.store.append("replaced", NewEvent(event_type="status", payload={"status": "done"}))
        guarded.store.delete_task("replaced")
        guarded.store.create_task("replaced")
        client.sendall(body[5:])
        assert client.recv(100).startswith(b"HTTP/1.1 404")
    credentials = {"Authorization": "Bearer local"}
    assert guarded.get("/api/tasks/replaced/events", headers=credentials).json()["total"] == 0


def test_forms_with_too_many_or_too_long_fields_are_refused(guarded: Server) -> None:
    credentials = session(guarded.store, person(guarded.store, "bea@example.org", default="owner"))
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    for body in (b"a&" * 3000, b"task=" + b"a" * 300_000):
        assert httpx.post(f"{guarded.url}/selection", content=body, headers=credentials | form).status_code == 413
    assert (
        httpx.post(f"{guarded.url}/selection", content=b"task=run&" * 400, headers=credentials | form).status_code
        == 200
    )


def test_many_unauthenticated_bodies_use_little_memory(guarded: Server) -> None:
    def resident_bytes() -> int:
        with open(f"/proc/{guarded.pid}/status") as lines:
            return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) // 1024

    before, clients = resident_bytes(), []
    for path in (b"/api/v1/login", b"/api/tasks") * 40:
        client = connect(guarded)
        client.sendall(b"POST " + path + b" HTTP/1.1\r\n" + HOST + b"Content-Length: 4000000\r\n\r\n")
        client.setblocking(False)
        try:
            while client.send(b"a" * 200_000):
                pass
        except OSError:
            pass
        clients.append(client)
    assert is_responsive(guarded)
    assert resident_bytes() - before < 60
    for client in clients:
        client.close()


async def test_slow_request_bodies_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(body_limits, "PUBLIC_BODY_TIMEOUT_S", 0.3)
    app = Quart("small")
    errors.install(app)
    stream.install(app)

    @app.before_request
    async def set_limits() -> None:
        request.set_limits(public=True)  # type: ignore[attr-defined]

    @app.post("/api/echo")
    async def echo() -> bytes:
        return await request.get_data(as_text=False)

    async with serving(app) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"POST /api/echo HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nbegun")
        assert b" 408 " in await asyncio.wait_for(reader.readline(), 60)
        writer.close()

"""What a connection may send before anybody knows who it is: limits on heads, bodies, time, and on WebSockets."""

from __future__ import annotations

import asyncio
import socket
import struct
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, closing, suppress
from typing import Any

import httpx
import pytest
import uvicorn
from quart import Quart, request

from signalbox.webapp.http import body_limits, errors, header_limits
from signalbox.webapp.http.header_limits import LimitedHttpProtocol
from signalbox.webapp.http.socket_limits import LimitedSocketProtocol
from signalbox.webapp.live import stream
from tests.support.people import person, revoke, session, token, wait_until_guarded
from tests.support.server import Server

HOST = b"Host: 127.0.0.1\r\n"
UPGRADE = (
    b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
)


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that asks everybody to log in."""
    server = Server(tmp_path_factory.mktemp("guarded")).start()
    server.store.create_task("run")
    person(server.store, "ann@example.org", default="operator")
    token(server.store, "reader", scopes=("read",))
    token(server.store, "writer", scopes=("read", "emit"))
    wait_until_guarded(server)
    yield server
    server.close()
    assert "Traceback" not in server.log, server.log


def connect(server: Server) -> socket.socket:
    return socket.create_connection(("127.0.0.1", server.port), timeout=15)


def answer_to(server: Server, *pieces: bytes) -> tuple[int, bytes]:
    """The status and all that the server says to these bytes before it closes or falls silent."""
    with closing(connect(server)) as client:
        try:
            for piece in pieces:
                client.sendall(piece)
        except OSError:
            pass
        said = b""
        while b"\r\n\r\n" not in said:
            more = client.recv(65536)
            if not more:
                break
            said += more
        return int(said.split(b" ", 2)[1]) if said else 0, said


def is_responsive(server: Server) -> bool:
    began = time.monotonic()
    return server.get("/sse/health", timeout=30).status_code == 200 and time.monotonic() - began < 2


# heads


@pytest.mark.parametrize(
    "head",
    [
        HOST + b"Accept: " + b"a," * 2_000_000 + b"\r\n\r\n",
        HOST + b"X-Long: " + b"a" * 33_000 + b"\r\n\r\n",
        HOST + b"X-Never-Ends: " + b"a" * 40_000,
        HOST + b"".join(b"X-%d: 1\r\n" % number for number in range(1000)) + b"\r\n",
        HOST + b"Cookie: " + b"a=1;" * 9000 + b"\r\n\r\n",
    ],
    ids=["accept", "long", "endless", "many", "cookies"],
)
def test_a_head_over_32_kb_is_refused_at_once(guarded: Server, head: bytes) -> None:
    began = time.monotonic()
    assert answer_to(guarded, b"GET / HTTP/1.1\r\n", head)[0] == 431
    assert time.monotonic() - began < 3
    assert is_responsive(guarded)


def test_an_address_over_32_kb_is_refused(guarded: Server) -> None:
    assert answer_to(guarded, b"GET /?" + b"a=1&" * 10_000 + b" HTTP/1.1\r\n" + HOST + b"\r\n")[0] == 431


def test_a_large_head_within_the_limit_is_served_quickly(guarded: Server) -> None:
    for name in ("Accept", "Accept-Encoding", "Accept-Language", "If-None-Match", "Cookie", "X-Long"):
        began = time.monotonic()
        assert guarded.get("/login", headers={name: "a," * 15_000}).status_code == 200, name
        assert time.monotonic() - began < 5, name


@pytest.mark.parametrize("host", ["a..b", ".a", "a" * 64, "a b", "a/b", "user@a", "[::1", "a:b", "\xe9", "a" * 400])
def test_a_host_that_is_none_is_a_bad_request(guarded: Server, host: str) -> None:
    line = f"Host: {host}\r\n".encode("latin-1")
    assert answer_to(guarded, b"GET / HTTP/1.1\r\n" + line + b"\r\n")[0] == 400
    assert answer_to(guarded, b"GET /ws/tasks/run/events HTTP/1.1\r\n" + line + UPGRADE + b"\r\n")[0] == 400


@pytest.mark.parametrize("hosts", [b"", HOST + HOST])
def test_there_is_one_host(guarded: Server, hosts: bytes) -> None:
    assert answer_to(guarded, b"GET / HTTP/1.1\r\n" + hosts + b"\r\n")[0] == 400


@pytest.mark.parametrize("target", [b"/?\xff", b"/\xff", b"/%ff%00", b"http://[::1/x", b"*", b"//", b"/a\\b"])
def test_no_address_is_an_error_of_the_server(guarded: Server, target: bytes) -> None:
    status, _ = answer_to(guarded, b"GET " + target + b" HTTP/1.1\r\n" + HOST + b"\r\n")
    assert status in (303, 308, 400, 401, 404)


@asynccontextmanager
async def serving(app: Any) -> AsyncIterator[int]:
    """A small app behind the same protocols, in this process, so that a test can shorten their times."""
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    listening.listen()
    config = uvicorn.Config(
        app, http=LimitedHttpProtocol, ws=LimitedSocketProtocol, log_config=None, lifespan="off", ws_max_size=1024
    )
    server = uvicorn.Server(config)
    running = asyncio.create_task(server.serve(sockets=[listening]))
    try:
        yield listening.getsockname()[1]
    finally:
        server.should_exit = True
        await running


async def hello(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await asyncio.sleep(float(scope["query_string"] or 0))
    await send({"type": "http.response.body", "body": b"ok"})


async def test_a_head_that_trickles_in_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(header_limits, "HEAD_TIMEOUT", 0.4)
    async with serving(hello) as port:
        for beginning, end in ((b"GET /", b"408"), (b"GET / HTTP/1.1\r\nHost: a\r\nX: ", b"408"), (b"\r\n", b"")):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(beginning)

            async def trickle(writer: asyncio.StreamWriter = writer) -> None:
                while True:
                    await asyncio.sleep(0.05)
                    writer.write(b"a" if beginning != b"\r\n" else b"\r\n")  # noqa: B023

            dripping = asyncio.create_task(trickle())
            try:
                said = await asyncio.wait_for(reader.read(), 8)
            except ConnectionResetError:
                # The server closed the connection without a response while another byte was on its way.
                said = b""
            dripping.cancel()
            assert end in said, (beginning, said)
            writer.close()


async def test_a_connection_that_sends_nothing_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(header_limits, "HEAD_TIMEOUT", 0.2)
    async with serving(hello) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        assert await asyncio.wait_for(reader.read(), 5) == b""
        writer.close()


async def test_slow_answers_and_kept_connections_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(header_limits, "HEAD_TIMEOUT", 0.2)
    async with serving(hello) as port, httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=10) as client:
        assert (await client.get("/?0.7")).text == "ok"
        await asyncio.sleep(0.5)
        assert (await client.get("/")).text == "ok"
        # Requests in a row on one connection are answered in a row, the slow one first.
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /?0.6 HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        assert (await asyncio.wait_for(reader.read(), 8)).count(b"200 OK") == 2
        writer.close()


# bodies


@pytest.mark.parametrize("path", ["/login", "/api/v1/login", "/logout"])
@pytest.mark.parametrize(
    "kind", [b"application/x-www-form-urlencoded", b"application/json", b"", b"multipart/form-data"]
)
def test_a_strangers_body_over_16_kb_is_refused_before_it_is_sent(guarded: Server, path: str, kind: bytes) -> None:
    head = b"POST %b HTTP/1.1\r\n" % path.encode() + HOST + (b"Content-Type: %b\r\n" % kind if kind else b"")
    assert answer_to(guarded, head + b"Content-Length: 16385\r\n\r\n")[0] == 413
    assert answer_to(guarded, head + b"Content-Length: 16385\r\nExpect: 100-continue\r\n\r\n")[0] == 413


@pytest.mark.parametrize("path", ["/login", "/api/v1/login"])
def test_a_strangers_chunked_body_is_refused_when_it_passes_16_kb(guarded: Server, path: str) -> None:
    form = "application/x-www-form-urlencoded" if path == "/login" else "application/json"
    head = f"POST {path} HTTP/1.1\r\nContent-Type: {form}\r\nTransfer-Encoding: chunked\r\n".encode() + HOST + b"\r\n"
    assert answer_to(guarded, head, *[b"1000\r\n" + b"a" * 4096 + b"\r\n"] * 5)[0] == 413


def test_who_sends_a_body_that_is_refused_gets_to_read_why(guarded: Server) -> None:
    for more in ({}, {"Connection": "close"}):
        data = b"a" * 3_000_000
        assert httpx.post(f"{guarded.url}/login", content=data, headers=more).status_code == 413
        assert httpx.post(f"{guarded.url}/api/tasks", content=data, headers=more).status_code == 401


def test_rights_are_checked_before_a_body_is_read(guarded: Server) -> None:
    head = b"POST /api/tasks/run/events HTTP/1.1\r\n" + HOST + b"Content-Length: 1000000\r\n"
    assert answer_to(guarded, head + b"\r\n")[0] == 401
    assert answer_to(guarded, head + b"Expect: 100-continue\r\n\r\n")[0] == 401
    assert answer_to(guarded, head + b"Authorization: Bearer reader\r\n\r\n")[0] == 403
    assert (
        b"100 Continue" in answer_to(guarded, head + b"Authorization: Bearer writer\r\nExpect: 100-continue\r\n\r\n")[1]
    )


def test_rights_are_checked_again_when_a_body_has_arrived(guarded: Server) -> None:
    token(guarded.store, "leaving", scopes=("read", "emit"))
    body = b'{"event_type": "log"}'
    head = b"POST /api/tasks/run/events HTTP/1.1\r\nAuthorization: Bearer leaving\r\n" + HOST
    with closing(connect(guarded)) as client:
        client.sendall(head + b"Content-Length: %d\r\n\r\n" % len(body) + body[:5])
        time.sleep(0.3)
        revoke(guarded.store, "leaving")
        while guarded.get("/api/tasks", headers={"Authorization": "Bearer leaving"}).status_code != 401:
            time.sleep(0.05)
        client.sendall(body[5:])
        assert client.recv(100).startswith(b"HTTP/1.1 401")
    shown = {"Authorization": "Bearer writer"}
    assert guarded.get("/api/tasks/run/events", headers=shown).json()["total"] == 0


def test_a_form_has_few_fields(guarded: Server) -> None:
    shown = session(guarded.store, person(guarded.store, "bea@example.org", default="owner"))
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    for body in (b"a&" * 3000, b"task=" + b"a" * 300_000):
        assert httpx.post(f"{guarded.url}/selection", content=body, headers=shown | form).status_code == 413
    assert httpx.post(f"{guarded.url}/selection", content=b"task=run&" * 400, headers=shown | form).status_code == 200


def test_many_strangers_with_bodies_hold_little_memory(guarded: Server) -> None:
    def resident() -> int:
        with open(f"/proc/{guarded.pid}/status") as lines:
            return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) // 1024

    before, clients = resident(), []
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
    assert resident() - before < 60
    for client in clients:
        client.close()


async def test_a_body_that_trickles_in_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(body_limits, "STRANGERS_TIMEOUT", 0.3)
    app = Quart("small")
    errors.install(app)
    stream.install(app)

    @app.before_request
    async def bound() -> None:
        request.bound(public=True)  # type: ignore[attr-defined]

    @app.post("/api/echo")
    async def echo() -> bytes:
        return await request.get_data(as_text=False)

    async with serving(app) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"POST /api/echo HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nbegun")
        assert b" 408 " in await asyncio.wait_for(reader.readline(), 8)
        writer.close()


# WebSockets


def frame(opcode: int, payload: bytes, *, fin: bool = True, first: int = 0) -> bytes:
    """A frame as a client sends it, masked with zeros."""
    size = len(payload)
    length = bytes([0x80 | size]) if size < 126 else bytes([0xFE]) + struct.pack(">H", size)
    return bytes([(0x80 if fin else 0) | first | opcode]) + length + bytes(4) + payload


@pytest.fixture
def websocket(guarded: Server) -> Iterator[Callable[..., tuple[socket.socket, bytes]]]:
    opened: list[socket.socket] = []

    def opens(*more: bytes) -> tuple[socket.socket, bytes]:
        client = connect(guarded)
        opened.append(client)
        head = b"GET /ws/tasks/run/events?token=reader HTTP/1.1\r\n" + HOST + UPGRADE
        client.sendall(head + b"".join(more) + b"\r\n")
        said = b""
        while b"\r\n\r\n" not in said:
            said += client.recv(4096)
        assert said.startswith(b"HTTP/1.1 101"), said
        return client, said

    yield opens
    for client in opened:
        client.close()


def close_code(client: socket.socket) -> int:
    """The code with which the server closes a WebSocket."""
    said = b""
    while len(said) < 4:
        more = client.recv(4096)
        assert more, said
        said += more
    assert said[0] == 0x88, said
    return int.from_bytes(said[2:4])


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        (frame(1, b"hello"), 1003),
        (frame(2, b"\0"), 1003),
        (frame(1, b""), 1003),
        (frame(1, b"begun", fin=False), 1003),
        (frame(2, b"a" * 2000), 1009),
        (frame(1, b"deflated", first=0x40), 1002),
    ],
)
def test_a_socket_closes_on_the_first_message(websocket: Any, sent: bytes, code: int) -> None:
    client, _ = websocket()
    client.sendall(sent)
    assert close_code(client) == code
    with suppress(ConnectionError):
        client.sendall(frame(8, struct.pack(">H", code)))
        assert client.recv(10) == b""


def test_a_socket_inflates_nothing(websocket: Any) -> None:
    _, said = websocket(b"Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n")
    assert b"permessage" not in said.lower()


def test_pings_are_answered_and_unread_answers_do_not_pile_up(guarded: Server, websocket: Any) -> None:
    client, _ = websocket()
    client.sendall(frame(9, b"there?"))
    assert client.recv(100) == b"\x8a\x06there?"
    pings = frame(9, b"a" * 125) * 100_000
    with pytest.raises(OSError):
        client.sendall(pings)
    assert is_responsive(guarded)


@pytest.mark.parametrize("path", [b"/nowhere", b"/login", b"/ws/tasks/run", b"/login/", b"/api/tasks"])
def test_a_websocket_where_there_is_none_is_not_found(guarded: Server, path: bytes) -> None:
    status, _ = answer_to(guarded, b"GET " + path + b" HTTP/1.1\r\n" + HOST + UPGRADE + b"\r\n")
    assert status in (404, 405)


def test_a_websocket_with_a_header_that_its_library_refuses_is_told_so(guarded: Server) -> None:
    head = b"GET /ws/tasks/run/events HTTP/1.1\r\n" + HOST + b"Cookie: " + b"a" * 9000 + b"\r\n"
    assert answer_to(guarded, head + UPGRADE + b"\r\n")[0] == 431


def test_another_upgrade_is_ignored(guarded: Server) -> None:
    assert (
        answer_to(guarded, b"GET /login HTTP/1.1\r\n" + HOST + UPGRADE.replace(b"websocket", b"h2c") + b"\r\n")[0]
        == 200
    )

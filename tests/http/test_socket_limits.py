"""Limits on WebSockets: the server accepts no messages and no compression, and queues no unread pongs."""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest

from tests.support.raw_http import HOST, UPGRADE, connect, is_responsive, response_to
from tests.support.server import Server


def frame(opcode: int, payload: bytes, *, fin: bool = True, first: int = 0) -> bytes:
    """Return a client frame, masked with zeros."""
    size = len(payload)
    length = bytes([0x80 | size]) if size < 126 else bytes([0xFE]) + struct.pack(">H", size)
    return bytes([(0x80 if fin else 0) | first | opcode]) + length + bytes(4) + payload


@pytest.fixture
def websocket(guarded: Server) -> Iterator[Callable[..., tuple[socket.socket, bytes]]]:
    opened: list[socket.socket] = []

    def open_websocket(*more: bytes) -> tuple[socket.socket, bytes]:
        client = connect(guarded)
        opened.append(client)
        head = b"GET /ws/tasks/run/events?token=reader HTTP/1.1\r\n" + HOST + UPGRADE
        client.sendall(head + b"".join(more) + b"\r\n")
        received = b""
        while b"\r\n\r\n" not in received:
            received += client.recv(4096)
        assert received.startswith(b"HTTP/1.1 101"), received
        return client, received

    yield open_websocket
    for client in opened:
        client.close()


def close_code(client: socket.socket) -> int:
    """Return the code with which the server closes a WebSocket."""
    received = b""
    while len(received) < 4:
        more = client.recv(4096)
        assert more, received
        received += more
    assert received[0] == 0x88, received
    return int.from_bytes(received[2:4])


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
def test_a_websocket_closes_on_the_first_message(websocket: Any, sent: bytes, code: int) -> None:
    client, _ = websocket()
    client.sendall(sent)
    assert close_code(client) == code
    with suppress(ConnectionError):
        client.sendall(frame(8, struct.pack(">H", code)))
        assert client.recv(60) == b""


def test_a_websocket_negotiates_no_compression(websocket: Any) -> None:
    _, received = websocket(b"Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n")
    assert b"permessage" not in received.lower()


def test_pings_are_answered_and_unread_pongs_are_not_queued(guarded: Server, websocket: Any) -> None:
    client, _ = websocket()
    client.sendall(frame(9, b"there?"))
    assert client.recv(100) == b"\x8a\x06there?"
    pings = frame(9, b"a" * 125) * 100_000
    with pytest.raises(OSError):
        client.sendall(pings)
    assert is_responsive(guarded)


@pytest.mark.parametrize("path", [b"/nowhere", b"/login", b"/ws/tasks/run", b"/login/", b"/api/tasks"])
def test_a_websocket_at_another_path_is_not_found(guarded: Server, path: bytes) -> None:
    status, _ = response_to(guarded, b"GET " + path + b" HTTP/1.1\r\n" + HOST + UPGRADE + b"\r\n")
    assert status in (404, 405)


def test_a_websocket_with_oversized_headers_is_refused_with_431(guarded: Server) -> None:
    head = b"GET /ws/tasks/run/events HTTP/1.1\r\n" + HOST + b"Cookie: " + b"a" * 9000 + b"\r\n"
    assert response_to(guarded, head + UPGRADE + b"\r\n")[0] == 431


def test_an_upgrade_to_another_protocol_is_ignored(guarded: Server) -> None:
    assert (
        response_to(guarded, b"GET /login HTTP/1.1\r\n" + HOST + UPGRADE.replace(b"websocket", b"h2c") + b"\r\n")[0]
        == 200
    )

"""HTTP as bytes: requests that no client library would send."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from typing import Any

import uvicorn

from signalbox.webapp.http.header_limits import LimitedHttpProtocol
from signalbox.webapp.http.socket_limits import LimitedSocketProtocol
from tests.support.server import Server

HOST = b"Host: 127.0.0.1\r\n"
UPGRADE = (
    b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
)


def connect(server: Server) -> socket.socket:
    """A connection to a server, on which nothing has been sent."""
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
    """Whether a server answers somebody else within 2 s."""
    began = time.monotonic()
    return server.get("/sse/health", timeout=30).status_code == 200 and time.monotonic() - began < 2


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

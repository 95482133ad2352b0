"""Send HTTP requests as bytes, including ones that no client library would send."""

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
    """Open a connection to a server without sending anything."""
    return socket.create_connection(("127.0.0.1", server.port), timeout=60)


def response_to(server: Server, *pieces: bytes) -> tuple[int, bytes]:
    """Send the bytes and return the status and the start of the response, up to the end of its head."""
    with closing(connect(server)) as client:
        try:
            for piece in pieces:
                client.sendall(piece)
        except OSError:
            pass
        received = b""
        while b"\r\n\r\n" not in received:
            more = client.recv(65536)
            if not more:
                break
            received += more
        return int(received.split(b" ", 2)[1]) if received else 0, received


def is_responsive(server: Server) -> bool:
    """Return whether a server answers another client within 15 s. A quiet machine needs a hundredth of it."""
    started_at = time.monotonic()
    return server.get("/sse/health", timeout=60).status_code == 200 and time.monotonic() - started_at < 15


@asynccontextmanager
async def serving(app: Any) -> AsyncIterator[int]:
    """Serve a small app with the real HTTP protocols in this process, so that a test can shorten their timeouts."""
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

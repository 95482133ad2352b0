"""A server that shuts down during the handshake of a WebSocket sends one response, and the application a disconnect."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from uvicorn.config import Config
from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.server import ServerState

from signalbox.webapp.http.socket_limits import LimitedSocketProtocol
from tests.support.raw_http import UPGRADE

HANDSHAKE = b"GET /ws/tasks/run/events HTTP/1.1\r\nHost: localhost\r\n" + UPGRADE + b"\r\n"

Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]


async def response_of(act: Callable[[Receive, Send], Awaitable[None]]) -> bytes:
    """Shut down a protocol before its application responds, then call `act` as the application.

    Return the bytes that the client receives.
    """
    connected, stopping = asyncio.Event(), asyncio.Event()

    async def application(scope: Any, receive: Receive, send: Send) -> None:
        assert (await receive())["type"] == "websocket.connect"
        connected.set()
        await stopping.wait()
        await act(receive, send)

    config = Config(application, log_config=None)
    state = ServerState()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: LimitedSocketProtocol(config, state, {}), "127.0.0.1", 0)
    async with server:
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        writer.write(HANDSHAKE)
        await asyncio.wait_for(connected.wait(), 60)
        (protocol,) = state.connections
        (task,) = state.tasks
        stopping.set()
        protocol.shutdown()
        await asyncio.wait_for(task, 60)
        received = await asyncio.wait_for(reader.read(), 60)
        writer.close()
    return received


async def accept(receive: Receive, send: Send) -> None:
    await send({"type": "websocket.accept"})
    await send({"type": "websocket.send", "text": "hello"})


async def close(receive: Receive, send: Send) -> None:
    await send({"type": "websocket.close", "code": 4403})


async def refuse(receive: Receive, send: Send) -> None:
    await send({"type": "websocket.http.response.start", "status": 404, "headers": []})
    await send({"type": "websocket.http.response.body", "body": b"nothing"})


async def return_at_once(receive: Receive, send: Send) -> None:
    pass


@pytest.mark.parametrize("act", [accept, close, refuse, return_at_once])
async def test_nothing_follows_the_response_of_the_shutdown(
    act: Callable[[Receive, Send], Awaitable[None]], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR):
        received = await response_of(act)
    assert received.startswith(b"HTTP/1.1 500"), received
    assert received.count(b"HTTP/1.1") == 1
    assert caplog.text == ""


async def test_the_application_gets_a_disconnect() -> None:
    got: list[str] = []

    async def follow(receive: Receive, send: Send) -> None:
        with pytest.raises(ClientDisconnected):
            await send({"type": "websocket.accept"})
        got.append((await receive())["type"])

    await response_of(follow)
    assert got == ["websocket.disconnect"]

"""Limits on request headers: their size, the host, the request target, and the time they may take."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import httpx
import pytest

from signalbox.webapp.http import header_limits
from tests.support.raw_http import HOST, UPGRADE, is_responsive, response_to, serving
from tests.support.server import Server


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
def test_headers_over_32_kb_are_refused_at_once(guarded: Server, head: bytes) -> None:
    started_at = time.monotonic()
    assert response_to(guarded, b"GET / HTTP/1.1\r\n", head)[0] == 431
    assert time.monotonic() - started_at < 15
    assert is_responsive(guarded)


def test_a_request_target_over_32_kb_is_refused(guarded: Server) -> None:
    assert response_to(guarded, b"GET /?" + b"a=1&" * 10_000 + b" HTTP/1.1\r\n" + HOST + b"\r\n")[0] == 431


def test_large_headers_within_the_limit_are_served_quickly(guarded: Server) -> None:
    for name in ("Accept", "Accept-Encoding", "Accept-Language", "If-None-Match", "Cookie", "X-Long"):
        started_at = time.monotonic()
        assert guarded.get("/login", headers={name: "a," * 15_000}).status_code == 200, name
        assert time.monotonic() - started_at < 15, name


@pytest.mark.parametrize("host", ["a..b", ".a", "a" * 64, "a b", "a/b", "user@a", "[::1", "a:b", "\xe9", "a" * 400])
def test_an_invalid_host_is_a_bad_request(guarded: Server, host: str) -> None:
    line = f"Host: {host}\r\n".encode("latin-1")
    assert response_to(guarded, b"GET / HTTP/1.1\r\n" + line + b"\r\n")[0] == 400
    assert response_to(guarded, b"GET /ws/tasks/run/events HTTP/1.1\r\n" + line + UPGRADE + b"\r\n")[0] == 400


@pytest.mark.parametrize("hosts", [b"", HOST + HOST])
def test_a_request_needs_exactly_one_host(guarded: Server, hosts: bytes) -> None:
    assert response_to(guarded, b"GET / HTTP/1.1\r\n" + hosts + b"\r\n")[0] == 400


@pytest.mark.parametrize("target", [b"/?\xff", b"/\xff", b"/%ff%00", b"http://[::1/x", b"*", b"//", b"/a\\b"])
def test_no_request_target_causes_a_server_error(guarded: Server, target: bytes) -> None:
    status, _ = response_to(guarded, b"GET " + target + b" HTTP/1.1\r\n" + HOST + b"\r\n")
    assert status in (303, 308, 400, 401, 404)


async def hello(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await asyncio.sleep(float(scope["query_string"] or 0))
    await send({"type": "http.response.body", "body": b"ok"})


async def test_slow_request_headers_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(header_limits, "HEAD_TIMEOUT", 0.4)
    async with serving(hello) as port:
        for beginning, end in ((b"GET /", b"408"), (b"GET / HTTP/1.1\r\nHost: a\r\nX: ", b"408"), (b"\r\n", b"")):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(beginning)

            async def trickle(writer: asyncio.StreamWriter = writer) -> None:
                while True:
                    await asyncio.sleep(0.05)
                    writer.write(b"a" if beginning != b"\r\n" else b"\r\n")  # noqa: B023

            trickling = asyncio.create_task(trickle())
            try:
                response = await asyncio.wait_for(reader.read(), 60)
            except ConnectionResetError:
                # The server closed the connection without a response while another byte was on its way.
                response = b""
            trickling.cancel()
            assert end in response, (beginning, response)
            writer.close()


async def test_an_idle_new_connection_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(header_limits, "HEAD_TIMEOUT", 0.2)
    async with serving(hello) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        assert await asyncio.wait_for(reader.read(), 60) == b""
        writer.close()


async def test_slow_responses_and_keep_alive_connections_are_not_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(header_limits, "HEAD_TIMEOUT", 0.2)
    async with serving(hello) as port, httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:
        assert (await client.get("/?0.7")).text == "ok"
        await asyncio.sleep(0.5)
        assert (await client.get("/")).text == "ok"
        # Pipelined requests are answered in order, the slow one first.
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /?0.6 HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        assert (await asyncio.wait_for(reader.read(), 60)).count(b"200 OK") == 2
        writer.close()

"""Responses of an upstream that are no event stream."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest

from signalbox.webapp.relay.upstream import MAX_ERROR_BYTES, UpstreamRefused, UpstreamUnavailable, check_stream


class Body(httpx.AsyncByteStream):
    """The body of a response. `read` is the number of bytes that were read of it."""

    def __init__(self, *chunks: bytes, repeated: int = 1) -> None:
        self.chunks, self.repeated, self.read = chunks, repeated, 0

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for _ in range(self.repeated):
            for chunk in self.chunks:
                self.read += len(chunk)
                yield chunk


def response(status: int, body: Body, **headers: str) -> httpx.Response:
    return httpx.Response(status, headers=headers, stream=body, request=httpx.Request("GET", "http://127.0.0.1/run"))


async def test_only_the_start_of_an_endless_error_is_read() -> None:
    body = Body(b"x" * 1000, repeated=100_000)
    with pytest.raises(UpstreamRefused, match="answered 418"):
        await check_stream(response(418, body))
    assert body.read < 2 * MAX_ERROR_BYTES


@pytest.mark.parametrize("text", [b'{"error": {"message": "no run"}}', b'{"error": 1}', b"[" * 50_000, b"", b"\xff"])
async def test_any_body_of_an_error_gives_a_reason(text: bytes) -> None:
    with pytest.raises(UpstreamRefused, match="answered 400"):
        await check_stream(response(400, Body(text)))


@pytest.mark.parametrize(("asked", "seconds"), [("7", 7), ("-1", 0), ("1e9", 60), ("nan", 1), ("tomorrow", 1)])
async def test_a_busy_upstream_asks_for_a_number_of_seconds(asked: str, seconds: float) -> None:
    with pytest.raises(UpstreamUnavailable) as error:
        await check_stream(response(503, Body(b"busy"), **{"Retry-After": asked}))
    assert error.value.retry_after == seconds

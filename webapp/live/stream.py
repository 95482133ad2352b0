"""Streams as responses: a view answers with one, and it is served on ASGI's `send`, below Quart's own responses."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from quart import Quart, Request, Response, request
from quart.asgi import ASGIHTTPConnection, ASGIWebsocketConnection

from signalbox.webapp.auth.guard import ticket
from signalbox.webapp.http.body_limits import BoundedBody, BoundedRequest
from signalbox.webapp.http.well_formed import complaint_about, refuse
from signalbox.webapp.live import sse
from signalbox.webapp.live.hub import Hub
from signalbox.webapp.live.lane import Lane
from signalbox.webapp.live.lanes import Lanes
from signalbox.webapp.live.sink import Send
from signalbox.webapp.live.stream_encoding import Plain, StreamEncoding

LAST_WORDS_TIMEOUT = 1.5
"""Seconds that the end of a stream may take; a reader that stalls then is left alone."""

OPENING = b": open\n\n"
"""Sent at once, so that a proxy and the client know that the stream stands."""

OPENING_ALONE = 0.002
"""Seconds between it and what follows, in which a proxy reads it."""


class StreamResponse(Response):
    """An open stream. `serve(send)` writes its body and returns the last words; `stream_encoding` compresses it."""

    def __init__(self, serve: Callable[[Send], Awaitable[bytes]], stream_encoding: StreamEncoding) -> None:
        super().__init__(b"", headers=sse.HEADERS)
        del self.headers["Content-Length"]
        if stream_encoding.name:
            self.headers["Content-Encoding"] = stream_encoding.name
            self.headers["Vary"] = "Accept-Encoding"
        self.timeout = None
        self.serve = serve
        self.stream_encoding = stream_encoding


def subscribe(hub: Hub, lane: Callable[[Lanes], Lane], cursor: int, opening: bytes = b"") -> StreamResponse:
    """A stream of `opening`, then of all that comes after `cursor`. `lane` is called when the stream begins.

    Raises TooManyStreams.
    """
    reader = ticket()
    hub.admit(reader)
    stream_encoding = hub.stream_encoding(request.headers.get("Accept-Encoding", ""))

    async def serve(send: Send) -> bytes:
        # Alone: Caddy's `encode` holds back a stream whose first piece is long enough to compress.
        await send({"type": "http.response.body", "body": stream_encoding.words(OPENING), "more_body": True})
        await asyncio.sleep(OPENING_ALONE)
        return await hub.run(lane(hub.lanes), cursor, send, opening, stream_encoding, reader)

    return StreamResponse(serve, stream_encoding)


def closing(words: bytes) -> StreamResponse:
    """A stream that only says `words`."""

    async def serve(send: Send) -> bytes:
        return words

    return StreamResponse(serve, Plain())


class StreamingConnection(ASGIHTTPConnection):
    """Quart's HTTP connection, with streams served below it. A body is received when its route asks for it."""

    _body: BoundedBody | None = None

    async def __call__(self, receive: Any, send: Any) -> None:
        if complaint := complaint_about(self.scope):
            await refuse(self.scope, receive, send, complaint)
        else:
            await super().__call__(receive, send)

    async def handle_messages(self, request: Request, receive: Any) -> None:
        if isinstance(request, BoundedRequest) and request.has_body:
            self._body = request.bounded
            await self._body.wanted.wait()
        await super().handle_messages(request, receive)

    async def _send_response(self, send: Any, response: Any) -> None:
        if self._body is not None:
            # From now on only the end of the connection is of interest.
            self._body.discard()
        if not isinstance(response, StreamResponse):
            await super()._send_response(send, response)
            return
        hub: Hub = self.app.extensions["hub"]
        headers = [(name.lower().encode(), value.encode("latin-1")) for name, value in response.headers]
        if self.scope["method"] == "HEAD":
            # An answer without a body is over at once (RFC 9110, section 9.3.2): nothing would end it otherwise.
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            await send({"type": "http.response.body", "body": b"", "more_body": False})
            return
        hub.opened()
        try:
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            last_words = await response.serve(send)
            async with asyncio.timeout(LAST_WORDS_TIMEOUT):
                stream_encoding = response.stream_encoding
                body = stream_encoding.words(last_words) + stream_encoding.end()
                await send({"type": "http.response.body", "body": body, "more_body": False})
        except TimeoutError:
            pass
        finally:
            hub.closed()


class SocketConnection(ASGIWebsocketConnection):
    """Quart's WebSocket connection, for well-formed addresses alone."""

    async def __call__(self, receive: Any, send: Any) -> None:
        if complaint := complaint_about(self.scope):
            await refuse(self.scope, receive, send, complaint)
        else:
            await super().__call__(receive, send)


def install(app: Quart) -> None:
    """Let `app` serve StreamResponses."""
    app.asgi_http_class = StreamingConnection
    app.asgi_websocket_class = SocketConnection
    app.request_class = BoundedRequest

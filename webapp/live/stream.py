"""Streaming responses, which write to ASGI's `send` directly instead of through Quart's own responses."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any, cast

import structlog
from quart import Quart, Request, Response, Websocket, request
from quart.asgi import ASGIHTTPConnection, ASGIWebsocketConnection

from signalbox.store import StoreError
from signalbox.webapp.auth.guard import ticket
from signalbox.webapp.http.body_limits import BoundedBody, BoundedRequest
from signalbox.webapp.http.well_formed import complaint_about, refuse
from signalbox.webapp.live import sse
from signalbox.webapp.live.hub import Hub
from signalbox.webapp.live.lane import Lane
from signalbox.webapp.live.lanes import Lanes
from signalbox.webapp.live.sink import Send
from signalbox.webapp.live.stream_encoding import Plain, StreamEncoding

log = structlog.get_logger("signalbox.live")

FINAL_WRITE_TIMEOUT_S = 1.5
"""Seconds for writing the final bytes of a stream. After that the connection is closed without them."""

OPENING = b": open\n\n"
"""Sent first, so that proxies and the client see that the stream is open."""

OPENING_PAUSE_S = 0.002
"""Seconds between the opening and the next bytes, so that a proxy reads the opening alone."""


class StreamResponse(Response):
    """A stream. `serve(send)` writes its body and returns the final bytes. `stream_encoding` compresses it."""

    def __init__(self, serve: Callable[[Send], Awaitable[bytes]], stream_encoding: StreamEncoding) -> None:
        super().__init__(b"", headers=sse.HEADERS)
        del self.headers["Content-Length"]
        if stream_encoding.name:
            self.headers["Content-Encoding"] = stream_encoding.name
            self.headers["Vary"] = "Accept-Encoding"
        self.timeout = None
        self.serve = serve
        self.stream_encoding = stream_encoding


class AsgiResponse(Response):
    """A response that another ASGI callable writes, with the headers of this app added. `body` is the received body."""

    def __init__(self, app: Callable[[Any, Any, Any], Awaitable[None]], body: bytes) -> None:
        super().__init__(b"")
        del self.headers["Content-Length"]
        del self.headers["Content-Type"]
        self.timeout = None
        self._app, self._body = app, body

    async def serve(self, scope: Any, send: Any) -> None:
        """Let the callable answer. A client that disconnects cancels this."""
        received = False

        async def receive() -> dict[str, Any]:
            nonlocal received
            if received:
                await asyncio.Event().wait()
            received = True
            return {"type": "http.request", "body": self._body, "more_body": False}

        async def send_with_headers(message: dict[str, Any]) -> None:
            if message["type"] == "http.response.start":
                present = {name.lower() for name, _ in message["headers"]}
                own = [(name.lower().encode(), value.encode("latin-1")) for name, value in self.headers]
                message = {**message, "headers": [*message["headers"], *(one for one in own if one[0] not in present)]}
            await send(message)

        await self._app(scope, receive, send_with_headers)


def subscribe(
    hub: Hub, lane: Callable[[Lanes], Lane], cursor: int, opening: bytes = b"", *, shown: str = ""
) -> StreamResponse:
    """Return a stream of `opening` and of everything after `cursor`. `lane` is called when the stream begins.

    `shown` is as in `Subscriber`.

    Raises TooManyStreams.
    """
    reader = ticket()
    place = hub.admit(reader)
    cast(BoundedRequest, request._get_current_object()).on_answered = place.release  # type: ignore[attr-defined]
    stream_encoding = hub.stream_encoding(request.headers.get("Accept-Encoding", ""))

    async def serve(send: Send) -> bytes:
        # Send the opening alone: Caddy's `encode` buffers a stream whose first bytes are long enough to compress.
        await send({"type": "http.response.body", "body": stream_encoding.encode(OPENING), "more_body": True})
        await asyncio.sleep(OPENING_PAUSE_S)
        place.release()
        return await hub.run(lane(hub.lanes), cursor, send, opening, stream_encoding, reader, shown=shown)

    return StreamResponse(serve, stream_encoding)


def message_stream(message: bytes) -> StreamResponse:
    """Return a stream that consists of one message."""

    async def serve(send: Send) -> bytes:
        return message

    return StreamResponse(serve, Plain())


class CheckedConnection:
    """The part that both kinds of connection share: a refusal of malformed requests, and a quiet end of cancelled ones.

    A malformed request is one with a malformed Host or address.
    """

    scope: Any
    _route: asyncio.Task[Any] | None = None

    async def __call__(self, receive: Any, send: Any) -> None:
        try:
            if complaint := complaint_about(self.scope):
                await refuse(self.scope, receive, send, complaint)
            else:
                await super().__call__(receive, send)  # type: ignore[misc]
        except asyncio.CancelledError:
            # A stopping server cancels this task. Quart would leave the task of the route running on a closed store,
            # and uvicorn would log the CancelledError with a traceback.
            if self._route is not None:
                self._route.cancel()
                await asyncio.wait({self._route})

    @contextmanager
    def _cancellable(self) -> Iterator[None]:
        """Know the task of the route while it runs. A finished one would keep its frames in a reference cycle."""
        self._route = asyncio.current_task()
        try:
            yield
        finally:
            self._route = None


class StreamingConnection(CheckedConnection, ASGIHTTPConnection):
    """Quart's HTTP connection, which serves streams by itself and receives a body only when a route reads it."""

    _body: BoundedBody | None = None

    async def handle_request(self, request: Request, send: Any) -> None:
        try:
            with self._cancellable():
                await super().handle_request(request, send)
        finally:
            if isinstance(request, BoundedRequest) and request.on_answered is not None:
                request.on_answered()

    async def handle_messages(self, request: Request, receive: Any) -> None:
        if isinstance(request, BoundedRequest) and request.has_body:
            self._body = request.bounded_body
            await self._body.wanted.wait()
        await super().handle_messages(request, receive)

    async def _send_response(self, send: Any, response: Any) -> None:
        if self._body is not None:
            # The rest of the body is not needed; from now on only a disconnect matters.
            self._body.discard()
        if isinstance(response, AsgiResponse):
            await response.serve(self.scope, send)
            return
        if not isinstance(response, StreamResponse):
            try:
                await super()._send_response(send, response)
            except StoreError as error:
                # Its end is missing, so the server closes the connection: no client may take the response for whole.
                log.error("a response was cut off", path=self.scope["path"], error=str(error))
            return
        hub: Hub = self.app.extensions["hub"]
        headers = [(name.lower().encode(), value.encode("latin-1")) for name, value in response.headers]
        if self.scope["method"] == "HEAD":
            # A response to HEAD has no body (RFC 9110, section 9.3.2), so end it at once.
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            await send({"type": "http.response.body", "body": b"", "more_body": False})
            return
        hub.opened()
        try:
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            final_bytes = await response.serve(send)
            async with asyncio.timeout(FINAL_WRITE_TIMEOUT_S):
                stream_encoding = response.stream_encoding
                body = stream_encoding.encode(final_bytes) + stream_encoding.end()
                await send({"type": "http.response.body", "body": body, "more_body": False})
        except TimeoutError:
            pass
        finally:
            hub.closed()


class SocketConnection(CheckedConnection, ASGIWebsocketConnection):
    """Quart's WebSocket connection."""

    async def handle_websocket(self, websocket: Websocket, send: Any) -> None:
        with self._cancellable():
            await super().handle_websocket(websocket, send)


def install(app: Quart) -> None:
    """Let `app` serve StreamResponses."""
    app.asgi_http_class = StreamingConnection
    app.asgi_websocket_class = SocketConnection
    app.request_class = BoundedRequest

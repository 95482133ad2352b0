"""Limits on the head of a request: its bytes, its headers and its time, in a subclass of uvicorn's HTTP protocol.

uvicorn and httptools have no such limits. The class relies on the callbacks of `HttpToolsProtocol` in uvicorn 0.54
(`on_header`, `on_headers_complete`, `on_body`, `on_message_complete`, `on_response_complete`, `flow`, `cycle`);
`tests/http/test_header_limits.py` notices when one of them changes.
"""

from __future__ import annotations

import asyncio
from typing import Any

import httptools
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from signalbox.webapp.http.draining import CLOSE, DrainingState

MAX_HEAD_BYTES = 32 * 1024
"""Maximum bytes of a request line with its headers, and of the trailers after a chunked body."""

MAX_HEADERS = 200
"""Maximum number of headers of one request."""

HEAD_TIMEOUT = 20.0
"""Seconds from the first byte of a head to its end, and from a new connection to the end of its first head."""

MAX_ACCEPT_BYTES = 4096
"""Bytes of an Accept, Accept-Encoding or Accept-Language header that are used: werkzeug is slow to sort its items."""

LINGER_S = 5.0
"""Seconds for which the rest of a refused body is read and discarded, so that its sender can read the refusal."""

LINGER_BYTES = 16 * 1024 * 1024

ALLOWED = f"{MAX_HEAD_BYTES} bytes and {MAX_HEADERS} headers are allowed"
TOO_LARGE = 431, f"the head of the request is too large: {ALLOWED}"
TOO_SLOW = 408, f"the head of the request did not arrive within {HEAD_TIMEOUT:g} seconds"
UNKNOWN_CODING = 501, "the only Transfer-Encoding that this server takes is chunked"
INVALID = 400, "this is not a valid HTTP request"


class HeadRefused(Exception):
    """The head of a request exceeds a limit, or is not valid."""

    def __init__(self, reason: tuple[int, str]) -> None:
        super().__init__(reason[1])
        self.reason = reason


class LimitedHttpProtocol(HttpToolsProtocol):
    """One connection. A refusal is written by the protocol itself, and ends the connection."""

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self._timer: asyncio.TimerHandle | None = None
        self._in_head = False
        self._in_body = False
        self._moved = False
        self._head_bytes = 0
        self._read = 0
        self._unread = 0
        self._refused = False
        self._close_after = False
        self._left_over: int | None = None

    # connection

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._start_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._left_over is not None:
            self._left_over -= len(data)
            if self._left_over < 0:
                self.transport.abort()
        if self._refused or self.transport.is_closing():
            return
        self._unset_keepalive_if_required()
        self._moved, self._read = False, 0
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            if self._should_upgrade():
                self._stop_timer()
                self.handle_websocket_upgrade()
                return
            # Any other upgrade is ignored, as RFC 9110 section 7.8 allows.
        except httptools.HttpParserError as error:
            self._refuse(error.__context__.reason if isinstance(error.__context__, HeadRefused) else INVALID)
            return
        # The parser holds an unfinished header, trailer or chunk size without saying so.
        if not self._moved:
            self._unread += len(data)
        else:
            self._unread = len(data) - self._read if self._in_head else 0
        if self._unread > MAX_HEAD_BYTES:
            self._refuse(TOO_LARGE)
        elif not self._in_body and (self._in_head or not self._moved) and self._timer is None:
            self._start_timer()

    # callbacks of the parser

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._in_head, self._in_body, self._moved = True, False, True
        self._head_bytes = 0

    def on_url(self, url: bytes) -> None:
        super().on_url(url)
        self._grow(len(url))

    def on_header(self, name: bytes, value: bytes) -> None:
        self._grow(len(name) + len(value) + 4)
        self._moved = True
        if not self._in_head:
            return  # Trailers arrive after the route has begun, and no code reads them.
        if len(self.headers) >= MAX_HEADERS:
            raise HeadRefused(TOO_LARGE)
        if len(name) == 17 and name.lower() == b"transfer-encoding" and value.strip().lower() != b"chunked":
            # RFC 9112, section 6.1. The parser would notice only after the route has begun, too late for a response.
            raise HeadRefused(UNKNOWN_CODING)
        if len(value) > MAX_ACCEPT_BYTES and name[:6].lower() == b"accept":
            value = value[:MAX_ACCEPT_BYTES]
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._stop_timer()
        self._in_head, self._moved, self._head_bytes = False, True, 0
        self._in_body = True
        super().on_headers_complete()
        if self.cycle is not None and isinstance(self.server_state, DrainingState) and self.server_state.draining:
            self.cycle.default_headers = [*self.cycle.default_headers, CLOSE]
        if self.cycle is not None and self._has_body():
            # Stop reading until the route asks for the body, so that rights are checked first.
            self.flow.pause_reading()
            self._close_after = not self.cycle.keep_alive
            self.cycle.keep_alive = True

    def on_body(self, body: bytes) -> None:
        self._moved = True
        self._read += len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._in_body, self._moved = False, True
        if self._left_over is not None:
            self._left_over = None
            self._stop_timer()
            self._start_timer()
        super().on_message_complete()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.transport.is_closing() or not self.cycle.response_complete:
            return
        if self._in_body:
            # Closing now could reset the connection before the sender reads the response: RFC 9112 section 9.6.
            self.cycle.body = bytearray()
            self._linger()
        elif self._close_after:
            self.transport.close()

    # refusing

    def _has_body(self) -> bool:
        return any(
            name == b"transfer-encoding" or (name == b"content-length" and value.strip(b"0"))
            for name, value in self.headers
        )

    def _grow(self, size: int) -> None:
        self._head_bytes += size
        self._read += size
        if self._head_bytes > MAX_HEAD_BYTES:
            raise HeadRefused(TOO_LARGE)

    def _start_timer(self) -> None:
        self._timer = self.loop.call_later(HEAD_TIMEOUT, self._too_slow)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _too_slow(self) -> None:
        self._timer = None
        if self._is_responding():
            # An earlier request of this connection is still being answered.
            self._start_timer()
        elif self._in_head:
            self._refuse(TOO_SLOW)
        else:
            self.transport.close()

    def _is_responding(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _refuse(self, reason: tuple[int, str]) -> None:
        self._refused = True
        if self.transport.is_closing():
            return
        if self._is_responding():
            # Another response is being sent, so none can be written here.
            self.transport.abort()
            return
        status, message = reason
        body = message.encode() + b"\n"
        head = b"content-type: text/plain; charset=utf-8\r\ncontent-length: %d\r\nconnection: close\r\n\r\n" % len(body)
        self.transport.write(STATUS_LINE[status] + head + body)
        self.transport.write_eof()
        self._linger()

    def _linger(self) -> None:
        self._left_over = LINGER_BYTES
        self._unset_keepalive_if_required()
        self._stop_timer()
        self._timer = self.loop.call_later(LINGER_S, self.transport.close)

"""Limits on WebSockets. Clients only receive: compression is off, and a client's first message ends the connection.

The class relies on `handle_text`, `handle_bytes`, `handle_ping`, `shutdown`, `close_timer`, `conn` and the flags of
`WebSocketsSansIOProtocol` in uvicorn 0.54; `tests/http/test_socket_limits.py` and `test_socket_shutdown.py` notice when
one of them changes.
"""

from __future__ import annotations

from typing import Any

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

MAX_FRAME_BYTES = 1024
"""Maximum bytes of a frame from a client. A longer frame is refused by its announced length."""

MAX_UNREAD_PONG_BYTES = 64 * 1024
"""Maximum bytes of unread pongs. A client that sends pings and reads nothing is disconnected."""

UNSUPPORTED = 1003
"""The close code for a kind of data that this end does not accept (RFC 6455, section 7.4.1)."""

ABNORMAL = 1006
"""The close code for a connection that ended without a close frame (RFC 6455, section 7.4.1)."""

CLOSE_TIMEOUT_S = 2.0
"""Seconds in which a client must confirm the close."""


class LimitedSocketProtocol(WebSocketsSansIOProtocol):
    """One WebSocket whose client must not send messages."""

    def data_received(self, data: bytes) -> None:
        if self.close_sent and self.close_timer is None:
            return
        super().data_received(data)
        if self.conn.handshake_exc is not None and not self.handshake_initiated:
            # The headers are within our limits but not the WebSocket library's, which has queued its own response.
            self.close_sent = True
            self.transport.write(b"".join(self.conn.data_to_send()))
            self.transport.close()

    def shutdown(self) -> None:
        unanswered = not (self.handshake_complete or self.close_sent)
        super().shutdown()
        if unanswered:
            # The client has its last response, but uvicorn would still let the application send another one.
            self.queue.put_nowait({"type": "websocket.disconnect", "code": ABNORMAL})
            self.handshake_complete = self.disconnected = True

    def handle_text(self, event: Any) -> None:
        self._refuse_message()

    handle_bytes = handle_cont = handle_text

    def handle_ping(self) -> None:
        if self.transport.get_write_buffer_size() > MAX_UNREAD_PONG_BYTES:
            self.transport.abort()
            return
        super().handle_ping()

    def _refuse_message(self) -> None:
        if self.close_sent or self.transport.is_closing():
            return
        reason = "this socket takes no messages"
        if not self.handshake_complete:
            self.transport.abort()
            return
        self.queue.put_nowait({"type": "websocket.disconnect", "code": UNSUPPORTED, "reason": reason})
        self.conn.send_close(UNSUPPORTED, reason)
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.close_sent = True
        self.close_timer = self.loop.call_later(CLOSE_TIMEOUT_S, self.transport.close)

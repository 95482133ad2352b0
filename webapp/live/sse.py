"""Server-sent events as bytes (WHATWG HTML, section 9.2). LF only: a CRLF that two chunks split makes two messages."""

from __future__ import annotations

import msgspec

from store import Event

HEADERS = {
    "Content-Type": "text/event-stream; charset=utf-8",
    "Cache-Control": "no-cache, no-transform",
    "X-Accel-Buffering": "no",
}
KEEPALIVE = b": keepalive\n\n"

_encoder = msgspec.json.Encoder()


def json_event(event: Event) -> bytes:
    """One stored event as a message: `id:` is its seq, `data:` its JSON."""
    return b"id: %d\ndata: %b\n\n" % (event.seq, _encoder.encode(event))


def html_message(seq: int, html: str) -> bytes:
    """An unnamed message of HTML; `id:` is the seq that the page shows after it."""
    lines = html.replace("\r", "").replace("\n", "\ndata: ")
    return b"id: %d\ndata: %b\n\n" % (seq, lines.encode())


def named(event: str, data: object, *, retry_ms: int | None = None) -> bytes:
    """A named event without an id. A `retry:` counts only in a block that has more than itself, like this one."""
    retry = b"" if retry_ms is None else b"retry: %d\n" % retry_ms
    return b"%bevent: %b\ndata: %b\n\n" % (retry, event.encode(), _encoder.encode(data))

"""Server-sent events as bytes (WHATWG HTML, section 9.2).

Lines end with LF, because some clients read a CRLF that is split across two chunks as two line ends. `id:` is the last
field of a message, because many clients store an id as soon as its line arrives; if the connection broke after that
line, they would skip the message. `retry:` is the first field.
"""

from __future__ import annotations

import random
import re

import msgspec

from signalbox.store import Event
from signalbox.store.line_breaks import one_line

HEADERS = {
    "Content-Type": "text/event-stream; charset=utf-8",
    "Cache-Control": "no-cache, no-transform",
    "X-Accel-Buffering": "no",
}
KEEPALIVE = b": keepalive\n\n"

_encoder = msgspec.json.Encoder()

# U+0085 has no reference of its own (`&#x85;` is an ellipsis), and the C0 controls are errors in HTML.
_HTML_BREAKS = re.compile("[\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029]")
_REFERENCES = {"\u2028": "&#x2028;", "\u2029": "&#x2029;", "\x85": "\ufffd", "\x0c": " "}


def json_event(event: Event) -> bytes:
    """Return an event as an unnamed message: `data:` is its JSON and `id:` its seq."""
    return json_message(event.seq, event)


def json_message(position: int, value: object) -> bytes:
    """Return `value` as JSON in an unnamed message."""
    return b"data: %b\nid: %d\n\n" % (one_line(_encoder.encode(value)), position)


def html_message(seq: int, html: str) -> bytes:
    """Return an unnamed message of HTML. `id:` is the seq of the page after it has applied the message."""
    lines = _HTML_BREAKS.sub(_harmless, html).replace("\r", "").replace("\n", "\ndata: ")
    return b"data: %b\nid: %d\n\n" % (lines.encode(), seq)


def named(event: str, data: object, *, retry_ms: int | None = None, position: int | None = None) -> bytes:
    """Return a named event. Clients ignore a `retry:` that is alone in its block, so it is part of the event."""
    retry = b"" if retry_ms is None else b"retry: %d\n" % retry_ms
    last = b"" if position is None else b"id: %d\n" % position
    return b"%bevent: %b\ndata: %b\n%b\n" % (retry, event.encode(), one_line(_encoder.encode(data)), last)


def reset(data: object) -> bytes:
    """Return the last message of a stream whose client follows another history.

    The empty `id:` makes a browser's EventSource forget its position, so it reconnects without one after
    `retry:` milliseconds.
    """
    body = one_line(_encoder.encode(data))
    return b"retry: %d\nevent: reset\ndata: %b\nid:\n\n" % (random.randint(500, 1500), body)


def _harmless(found: re.Match[str]) -> str:
    return _REFERENCES.get(found[0]) or chr(0x2400 + ord(found[0]))

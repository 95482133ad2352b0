"""A parser of server-sent events (WHATWG HTML, section 9.2), which takes bytes in chunks of any size."""

from __future__ import annotations

import codecs
from collections.abc import Iterator

import msgspec

MAX_RETRY_MS = 10**15
_DIGITS = len(str(MAX_RETRY_MS))


class Message(msgspec.Struct, frozen=True):
    """A dispatched message. `event` is "message" if the stream gives it no name."""

    event: str
    data: str
    last_event_id: str


class SseParser:
    """Parses the bytes of a stream into messages.

    `retry_ms` is the last `retry:` of the stream, at most `MAX_RETRY_MS`.
    """

    def __init__(self) -> None:
        self.retry_ms: int | None = None
        self._decoder = codecs.getincrementaldecoder("utf-8-sig")("replace")
        self._partial: list[str] = []
        self._after_cr = False
        self._last_event_id = ""
        self._event, self._data = "", list[str]()

    def feed(self, chunk: bytes) -> Iterator[Message]:
        """Yield the messages that `chunk` completes."""
        text = self._decoder.decode(chunk)
        if not text:
            return
        # A CR ends its line at once. If the next chunk begins with the LF of a CRLF, that LF does not end another line.
        if self._after_cr:
            text = text.removeprefix("\n")
        self._after_cr = text.endswith("\r")
        *lines, rest = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
        if lines:
            lines[0] = "".join((*self._partial, lines[0]))
            self._partial = []
        if rest:
            self._partial.append(rest)
        for line in lines:
            if line:
                self._field(line)
            elif self._data:
                yield Message(self._event or "message", "\n".join(self._data), self._last_event_id)
                self._event, self._data = "", []
            else:
                self._event = ""

    def _field(self, line: str) -> None:
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "data":
            self._data.append(value)
        elif name == "event":
            self._event = value
        elif name == "id" and "\0" not in value:
            self._last_event_id = value
        elif name == "retry" and value.isascii() and value.isdigit():
            # A number of thousands of digits is no `int` in Python.
            self.retry_ms = int(value) if len(value) < _DIGITS else MAX_RETRY_MS

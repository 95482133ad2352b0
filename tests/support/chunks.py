"""Drop single writes of an event stream over HTTP/1.1, so that the rest stays valid (RFC 9112, section 7.1)."""

from __future__ import annotations

from collections.abc import Callable


class StreamFilter:
    """Forward the bytes of responses, without the writes of event streams for which `lose` returns True."""

    def __init__(self, lose: Callable[[bytes], bool]) -> None:
        self._lose = lose
        self._rest = b""
        self._streaming = False

    def feed(self, data: bytes) -> bytes:
        """Return the bytes of `data` to forward. An incomplete write of a stream is held back until it is complete."""
        passed = b""
        if not self._streaming:
            head, end, rest = data.partition(b"\r\n\r\n")
            if not (end and head.startswith(b"HTTP/1.1 ") and b"text/event-stream" in head):
                return data
            self._streaming, passed, data = True, head + end, rest
        self._rest += data
        while self._streaming and (found := _first_chunk(self._rest)):
            chunk, body = found
            self._rest = self._rest[len(chunk) :]
            self._streaming = bool(body)
            if not (body and self._lose(body)):
                passed += chunk
        if not self._streaming:
            passed, self._rest = passed + self._rest, b""
        return passed


def _first_chunk(data: bytes) -> tuple[bytes, bytes] | None:
    """Return the first chunk of `data` and its body, or None while it is incomplete."""
    size, end, rest = data.partition(b"\r\n")
    if not end or len(rest) < int(size, 16) + 2:
        return None
    length = int(size, 16)
    return data[: len(size) + 2 + length + 2], rest[:length]

"""Event streams over HTTP/1.1 write by write (RFC 9112, section 7.1): one can get lost, the rest stays valid."""

from __future__ import annotations

from collections.abc import Callable


class StreamFilter:
    """Passes the bytes of answers on, without those writes of event streams that `lose` says yes to."""

    def __init__(self, lose: Callable[[bytes], bool]) -> None:
        self._lose = lose
        self._rest = b""
        self._streaming = False

    def feed(self, data: bytes) -> bytes:
        """What to pass on of `data`; an incomplete write of a stream is kept until it is complete."""
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
    """The first chunk of `data` and its body, or None while it is not complete."""
    size, end, rest = data.partition(b"\r\n")
    if not end or len(rest) < int(size, 16) + 2:
        return None
    length = int(size, 16)
    return data[: len(size) + 2 + length + 2], rest[:length]

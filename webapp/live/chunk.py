"""A chunk: bytes that many streams share."""

from __future__ import annotations

from collections.abc import Callable


class Chunk:
    """The bytes of `events` events from after some cursor up to `to_seq`. After a `last` one the stream ends.

    `beside` is whether a frame shows its task as archived and as stale; None if it is no frame of one task's page.
    `framed` is the body in HTTP/1.1's chunked coding, so that it is framed once and not once for each stream.
    """

    __slots__ = ("_packed", "beside", "body", "events", "framed", "last", "to_seq")

    def __init__(
        self, body: bytes, to_seq: int, events: int, *, last: bool = False, beside: tuple[bool, bool] | None = None
    ) -> None:
        self.body = body
        self.framed = framing(body)
        self.to_seq = to_seq
        self.events = events
        self.last = last
        self.beside = beside
        self._packed: dict[str, bytes] = {}

    def packed(self, encoding: str, pack: Callable[[bytes], bytes]) -> bytes:
        """The body as `pack` compresses it, which is done once for each encoding."""
        packed = self._packed.get(encoding)
        if packed is None:
            packed = self._packed[encoding] = pack(self.body)
        return packed


def framing(body: bytes) -> bytes:
    """A chunk in the chunked transfer coding (RFC 9112, section 7.1)."""
    return b"%x\r\n%b\r\n" % (len(body), body)

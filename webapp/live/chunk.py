"""A chunk: bytes that the streams of a lane share."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from signalbox.store import Event
from signalbox.store.bounded_reads import STEP, bounded_read, payload_bytes
from signalbox.store.state import Flags

CHUNK_EVENTS = 1000
CHUNK_BYTES = 512 * 1024

FIRST_EVENTS = 16
"""Events in the first read of a chunk. Two of the longest events fill one."""
"""Approximate bytes of the largest chunk, so that one write to a slow reader stays small."""


class Chunk:
    """The bytes of `events` events after a cursor, up to `to_seq`. The stream ends after a `last` chunk.

    `flags`: the flags (`Task.flags`) that a frame of the task page shows; None for other chunks.
    `shown`: the name of the state that the page has after a frame, if its renderer names states: see `StateRenderer`.
    None if the frame does not change it.
    `more`: a renderer has further events, which did not fit in this chunk.
    `framed` is the body in HTTP/1.1's chunked coding, computed once for all streams.
    """

    __slots__ = ("_encoded", "body", "events", "flags", "framed", "last", "more", "shown", "to_seq")

    def __init__(
        self,
        body: bytes,
        to_seq: int,
        events: int,
        *,
        last: bool = False,
        flags: Flags | None = None,
        shown: str | None = None,
        more: bool = False,
    ) -> None:
        self.body = body
        self.framed = framing(body)
        self.to_seq = to_seq
        self.events = events
        self.last = last
        self.flags = flags
        self.shown = shown
        self.more = more
        self._encoded: dict[str, bytes] = {}

    def encoded(self, encoding: str, encode: Callable[[bytes], bytes]) -> bytes:
        """Return the body as `encode` compresses it. Each encoding is computed once."""
        encoded = self._encoded.get(encoding)
        if encoded is None:
            encoded = self._encoded[encoding] = encode(self.body)
        return encoded


def framing(body: bytes) -> bytes:
    """Return a chunk in the chunked transfer coding (RFC 9112, section 7.1)."""
    return b"%x\r\n%b\r\n" % (len(body), body)


async def next_events(read: Callable[[Event | None, int], Awaitable[list[Event]]]) -> tuple[list[Event], bool]:
    """Return the events of the next chunk of a stream that is read from the store, and whether there may be more.

    `read(event, n)` returns the n events after an event, or the first n of the chunk for None.
    """
    return await bounded_read(read, CHUNK_EVENTS, CHUNK_BYTES, payload_bytes, steps=(FIRST_EVENTS, STEP))

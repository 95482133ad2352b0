"""The ring: the newest events of a task, each encoded once for all its readers."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from signalbox.store import Event
from signalbox.webapp.live.chunk import CHUNK_BYTES, CHUNK_EVENTS, Chunk

Encode = Callable[[Event], bytes]

RING_BYTES = 4 * 1024 * 1024
"""Approximate bytes of events in a ring, up to twice as many before it is trimmed. Each encoding adds as many again.

The chunks that it keeps for readers at equal cursors have as many bytes at most, each twice: see `Chunk.framed`.
"""


class Ring:
    """The newest events of one task without gaps, `size` to twice `size` of them.

    `head` is the newest seq; 0 for an empty ring.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self.head = 0
        self._events: list[Event] = []
        self._first = 1
        self._bytes_held = 0
        self._encoded: dict[Encode, list[bytes]] = {}
        self._chunks: dict[tuple[Encode, int], Chunk] = {}
        self._chunk_bytes = 0

    def push(self, events: Sequence[Event]) -> None:
        """Add events of the task in seq order. Events that the ring already has are skipped."""
        head = self.head
        fresh = list(events) if events and events[0].seq > head else [event for event in events if event.seq > head]
        if not fresh:
            return
        if not self._events or fresh[0].seq != head + 1:
            self._events, self._encoded, self._first, self._bytes_held = [], {}, fresh[0].seq, 0
        self._events += fresh
        self._bytes_held += sum(map(_length, fresh))
        self._forget_chunks()
        surplus = len(self._events) - self._size if len(self._events) > 2 * self._size else 0
        if self._bytes_held > 2 * RING_BYTES:
            held, kept = 0, 0
            while kept < len(self._events) and held < RING_BYTES:
                kept += 1
                held += _length(self._events[-kept])
            surplus = max(surplus, len(self._events) - kept)
        if surplus:
            self._bytes_held -= sum(map(_length, self._events[:surplus]))
            del self._events[:surplus]
            for encoded in self._encoded.values():
                del encoded[:surplus]
            self._first += surplus
        self.head = self._first + len(self._events) - 1 if self._events else 0

    def events_between(self, cursor: int, seq: int) -> list[Event] | None:
        """Return the events after `cursor` up to `seq`, None if the ring lacks any."""
        if cursor == seq:
            return []
        if not self._first - 1 <= cursor < seq <= self.head:
            return None
        return self._events[cursor + 1 - self._first : seq + 1 - self._first]

    def after(self, cursor: int, encode: Encode, limit: int = CHUNK_EVENTS) -> Chunk | None:
        """Return at most `limit` events after `cursor`, None if the ring lacks any. Equal calls share their bytes."""
        if not self._first - 1 <= cursor < self.head:
            return None
        chunk = self._chunks.get((encode, cursor))
        if chunk is None:
            chunk = cut(self._bytes(encode), cursor + 1 - self._first, cursor)
            self._chunk_bytes += len(chunk.body)
            if self._chunk_bytes > RING_BYTES:
                # Readers at many different cursors share few bytes.
                self._forget_chunks()
                self._chunk_bytes = len(chunk.body)
            self._chunks[encode, cursor] = chunk
        if chunk.events > limit:
            return cut(self._bytes(encode), cursor + 1 - self._first, cursor, limit)
        return chunk

    def _forget_chunks(self) -> None:
        self._chunks.clear()
        self._chunk_bytes = 0

    def _bytes(self, encode: Encode) -> list[bytes]:
        encoded = self._encoded.setdefault(encode, [])
        missing = len(self._events) - len(encoded)
        if missing:
            encoded += map(encode, self._events[-missing:])
        return encoded


def _length(event: Event) -> int:
    return memoryview(event.payload_json).nbytes + 300


def cut(encoded: Sequence[bytes], start: int, cursor: int, limit: int = CHUNK_EVENTS) -> Chunk:
    """Return one chunk of the messages from index `start` on. The first of them follows `cursor`."""
    size, end = 0, start
    for message in encoded[start : start + min(limit, CHUNK_EVENTS)]:
        size += len(message)
        end += 1
        if size >= CHUNK_BYTES:
            break
    return Chunk(b"".join(encoded[start:end]), cursor + end - start, end - start)

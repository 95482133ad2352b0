"""The catch-up cache: segments of logs, read and encoded once for all subscribers that reconnect at the same time."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence

from signalbox.webapp.live.chunk import CHUNK_EVENTS, Chunk
from signalbox.webapp.live.ring import cut

SEGMENT_EVENTS = CHUNK_EVENTS
"""Number of events in a whole segment. Segments begin after multiples of this number."""

MAX_CACHE_BYTES = 32 * 1024 * 1024
COPIES = 3
"""How many copies of a message the cache holds: the message itself, one in the chunk, one in the framed chunk."""

Read = Callable[[int, int], Awaitable[Sequence[bytes]]]
"""Reads at most the given number of messages after a cursor."""


class Segment:
    """Contiguous messages of one log. The first of them follows `since`."""

    def __init__(self, since: int, messages: Sequence[bytes]) -> None:
        self._since = since
        self._messages = messages
        self._chunks: dict[int, Chunk] = {}
        self._chunk_bytes = 0
        self._bytes = sum(map(len, messages))
        self.size = COPIES * self._bytes

    @property
    def whole(self) -> bool:
        """Whether the segment is full, so that it never changes again."""
        return len(self._messages) == SEGMENT_EVENTS

    def after(self, cursor: int, limit: int) -> Chunk | None:
        """Return at most `limit` messages after `cursor`; None if there are none. Equal calls share their bytes."""
        start = cursor - self._since
        if start >= len(self._messages):
            return None
        chunk = self._chunks.get(cursor)
        if chunk is None:
            chunk = cut(self._messages, start, cursor)
            self._chunk_bytes += len(chunk.body)
            if self._chunk_bytes > self._bytes:
                # Readers at many different cursors share few bytes.
                self._chunks, self._chunk_bytes = {}, len(chunk.body)
            self._chunks[cursor] = chunk
        return chunk if chunk.events <= limit else cut(self._messages, start, cursor, limit)


class CatchUpCache:
    """The most recently used whole segments, up to a limit in bytes. Concurrent callers share a read.

    A log never changes, so a whole segment stays valid. A segment that is not whole is returned but not cached.
    """

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[object, int], Segment] = OrderedDict()
        self._size = 0
        self._reading: dict[tuple[object, int], asyncio.Task[Segment]] = {}

    async def take(self, log: object, cursor: int, read: Read) -> Segment:
        """Return the segment of `log` with the event after `cursor`. Raises the errors of `read`."""
        place = log, cursor - cursor % SEGMENT_EVENTS
        if place in self._kept:
            self._kept.move_to_end(place)
            return self._kept[place]
        reading = self._reading.get((log, cursor))
        if reading is None:
            reading = self._reading[log, cursor] = asyncio.create_task(self._read(log, cursor, read))
            reading.add_done_callback(_retrieve_exception)
        # A caller that is cancelled must not cancel the read of the others.
        return await asyncio.shield(reading)

    def forget(self, log: object) -> None:
        """Drop the segments of a log without readers."""
        for place in [place for place in self._kept if place[0] is log]:
            self._size -= self._kept.pop(place).size

    async def _read(self, log: object, cursor: int, read: Read) -> Segment:
        try:
            segment = Segment(cursor, await read(cursor, SEGMENT_EVENTS - cursor % SEGMENT_EVENTS))
        finally:
            del self._reading[log, cursor]
        if segment.whole:
            self._kept[log, cursor] = segment
            self._size += segment.size
            while self._size > MAX_CACHE_BYTES:
                self._size -= self._kept.popitem(last=False)[1].size
        return segment


def _retrieve_exception(reading: asyncio.Task[Segment]) -> None:
    """Retrieve the exception, so that asyncio does not report it if all callers are gone."""
    if not reading.cancelled():
        reading.exception()

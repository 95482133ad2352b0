"""The catch-up cache: segments of logs, read and encoded once for all subscribers that return after the same cut."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence

from signalbox.webapp.live.chunk import Chunk
from signalbox.webapp.live.ring import CHUNK_EVENTS, cut

SEGMENT = CHUNK_EVENTS
"""Events of a whole segment, which begins after a multiple of this seq."""

KEPT_BYTES = 32 * 1024 * 1024
COPIES = 3
"""How often a message is held: as it is, in the chunk, in the framed chunk."""

Read = Callable[[int, int], Awaitable[Sequence[bytes]]]
"""The messages after a cursor, at most so many."""


class Segment:
    """Contiguous messages of one log, the first of which follows `since`."""

    def __init__(self, since: int, messages: Sequence[bytes]) -> None:
        self._since = since
        self._messages = messages
        self._chunks: dict[int, Chunk] = {}
        self.size = COPIES * sum(map(len, messages))

    @property
    def whole(self) -> bool:
        """Whether nothing can be added to it."""
        return len(self._messages) == SEGMENT

    def after(self, cursor: int, most: int) -> Chunk | None:
        """At most `most` messages after `cursor`; None if there are none. Equal calls share their bytes."""
        start = cursor - self._since
        if start >= len(self._messages):
            return None
        chunk = self._chunks.get(cursor)
        if chunk is None:
            chunk = self._chunks[cursor] = cut(self._messages, start, cursor)
        return chunk if chunk.events <= most else cut(self._messages, start, cursor, most)


class CatchUpCache:
    """Whole segments, those used last within a limit in bytes. What is being read is read once for all who ask.

    The log never changes, so a whole segment is right for ever; others are handed out and not kept.
    """

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[object, int], Segment] = OrderedDict()
        self._size = 0
        self._reading: dict[tuple[object, int], asyncio.Task[Segment]] = {}

    async def take(self, log: object, cursor: int, read: Read) -> Segment:
        """The segment of `log` in which the event after `cursor` is. Raises what `read` raises."""
        place = log, cursor - cursor % SEGMENT
        if place in self._kept:
            self._kept.move_to_end(place)
            return self._kept[place]
        reading = self._reading.get((log, cursor))
        if reading is None:
            reading = self._reading[log, cursor] = asyncio.create_task(self._read(log, cursor, read))
            reading.add_done_callback(_hear)
        # Whoever goes away meanwhile must not take the others' segment along.
        return await asyncio.shield(reading)

    def forget(self, log: object) -> None:
        """Nobody reads this log any more."""
        for place in [place for place in self._kept if place[0] is log]:
            self._size -= self._kept.pop(place).size

    async def _read(self, log: object, cursor: int, read: Read) -> Segment:
        try:
            segment = Segment(cursor, await read(cursor, SEGMENT - cursor % SEGMENT))
        finally:
            del self._reading[log, cursor]
        if segment.whole:
            self._kept[log, cursor] = segment
            self._size += segment.size
            while self._size > KEPT_BYTES:
                self._size -= self._kept.popitem(last=False)[1].size
        return segment


def _hear(reading: asyncio.Task[Segment]) -> None:
    """All who asked may be gone: a failure is theirs, and no news to anybody else."""
    if not reading.cancelled():
        reading.exception()

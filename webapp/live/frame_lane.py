"""Frames: what changed after a cursor, rendered from the store once for all streams that stand there.

A frame always reaches the newest state, so nobody has to catch up step by step.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping

import structlog

from store import StoreError, UnknownTask
from webapp.live import sse
from webapp.live.chunk import Chunk
from webapp.live.lane import RETRY, Lane, Log
from webapp.live.pace import Pace
from webapp.live.ring import CHUNK_EVENTS
from webapp.live.stats import Stats
from webapp.live.subscriber import Subscriber

Render = Callable[[int], Awaitable[Chunk | None]]
"""What brings a stream at a cursor up to date, or None when there is nothing to change."""

logger = structlog.get_logger("signalbox.live")


class FrameLane(Lane):
    """The streams that `render` serves.

    Without a `beat` of its own they are pages, and hear a heartbeat with their cursor and the `facts` of the hour: when
    they begin, when they are silent, when somebody calls `tell`.
    """

    def __init__(
        self,
        log: Log,
        pace: Pace,
        stats: Stats,
        render: Render,
        beat: bytes | None = None,
        facts: Callable[[], Mapping[str, object]] = dict,
    ) -> None:
        super().__init__(log, pace, stats)
        self._render = render
        self._beat = beat
        self._facts = facts
        self._unsure: set[Subscriber] = set()
        self._task: asyncio.Task[None] | None = None

    def join(self, subscriber: Subscriber) -> None:
        self.everyone.add(subscriber)
        self.live.add(subscriber)
        self._unsure.add(subscriber)
        self.wake()

    def leave(self, subscriber: Subscriber) -> None:
        super().leave(subscriber)
        self._unsure.discard(subscriber)

    def recheck(self) -> None:
        """Something may have changed that no position tells."""
        self._unsure |= self.live
        self.wake()

    def heartbeat(self, subscriber: Subscriber) -> bytes:
        # Its own cursor: a page that has less has lost something on the way.
        return self._beat or sse.named("heartbeat", {"latest_seq": subscriber.cursor, **self._facts()})

    def greeting(self, subscriber: Subscriber) -> bytes:
        return b"" if self._beat else self.heartbeat(subscriber)

    def tell(self) -> None:
        """The facts have changed."""
        if not self._beat:
            for subscriber in list(self.everyone):
                subscriber.say(self.heartbeat(subscriber))

    def close(self) -> None:
        super().close()
        if self._task:
            self._task.cancel()

    def _flush(self, started: float) -> None:
        self._task = asyncio.create_task(self._serve(started))

    async def _serve(self, started: float) -> None:
        behind: dict[int, list[Subscriber]] = {}
        for subscriber in self.live:
            if subscriber in self._unsure or subscriber.cursor < self.log.head:
                behind.setdefault(subscriber.cursor, []).append(subscriber)
        try:
            for cursor, subscribers in behind.items():
                self._deliver(subscribers, cursor, await self._render(cursor))
        except UnknownTask:
            self._end_all()
        except Exception as error:
            # Nobody is served a wrong page: all keep what they have and the frame is tried again.
            expected = isinstance(error, StoreError)
            logger.warning("a frame could not be made", error=str(error), exc_info=None if expected else error)
            self._flushing = False
            self._set_timer(RETRY)
            return
        self._flushed(started, again=bool(self._unsure))

    def _deliver(self, subscribers: list[Subscriber], cursor: int, chunk: Chunk | None) -> None:
        for subscriber in subscribers:
            self._unsure.discard(subscriber)
            if chunk is None or subscriber.over or subscriber.cursor != cursor or subscriber not in self.live:
                continue
            subscriber.take(chunk)
            self.stats.events_out += chunk.events
            if subscriber.busy:
                self.live.discard(subscriber)
            elif chunk.events >= CHUNK_EVENTS:
                self._unsure.add(subscriber)

    def _end_all(self) -> None:
        for subscriber in list(self.everyone):
            subscriber.finish(sse.named("reset", {"reason": "deleted"}))
        self._unsure.clear()

"""A lane of frames: the changes after a cursor, rendered once for all streams at that cursor.

A frame always leads to the newest state, so no stream catches up step by step.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection

import structlog

from signalbox.store import StoreDamaged, StoreError, UnknownTask
from signalbox.webapp.auth.principal import ProjectIds
from signalbox.webapp.live.chunk import Chunk
from signalbox.webapp.live.control_messages import ControlMessages
from signalbox.webapp.live.lane import DAMAGED_MS, RETRY, Lane
from signalbox.webapp.live.pace import Pace
from signalbox.webapp.live.renderer import Renderer
from signalbox.webapp.live.ring import CHUNK_EVENTS, Ring
from signalbox.webapp.live.stats import Stats
from signalbox.webapp.live.subscriber import Subscriber

logger = structlog.get_logger("signalbox.live")


class FrameLane(Lane):
    """The streams that `renderer` serves. `shown_flags` collects the `Chunk.flags` of each frame that is delivered."""

    def __init__(
        self, ring: Ring, pace: Pace, stats: Stats, renderer: Renderer, control_messages: ControlMessages
    ) -> None:
        super().__init__(ring, pace, stats, control_messages)
        self._renderer = renderer
        self._unsure: set[Subscriber] = set()
        self._task: asyncio.Task[None] | None = None
        self.shown_flags: set[tuple[bool, bool]] = set()

    def join(self, subscriber: Subscriber) -> None:
        self.everyone.add(subscriber)
        self.live.add(subscriber)
        self._unsure.add(subscriber)
        self.wake()

    def leave(self, subscriber: Subscriber) -> None:
        super().leave(subscriber)
        self._unsure.discard(subscriber)

    def recheck(self) -> None:
        """Render for all streams again, because something may have changed without a new position."""
        self._unsure |= self.live
        self.wake()

    def tell(self, sights: Collection[ProjectIds]) -> None:
        """Send a new greeting to the streams whose readers see these projects."""
        for subscriber in list(self.everyone):
            if subscriber.ticket.sight in sights:
                subscriber.say(subscriber.control_messages.greeting(subscriber.cursor))

    def close(self) -> None:
        super().close()
        if self._task:
            self._task.cancel()

    def _flush(self, started: float) -> None:
        self._task = asyncio.create_task(self._serve(started))

    async def _serve(self, started: float) -> None:
        behind: dict[int, list[Subscriber]] = {}
        for subscriber in list(self.live):
            if subscriber.busy:
                # It calls `join` when its reader has taken the waiting bytes.
                self.live.discard(subscriber)
            elif subscriber in self._unsure or subscriber.cursor < self.ring.head:
                behind.setdefault(subscriber.cursor, []).append(subscriber)
        # A change during rendering may be missing from the frame; `recheck` then makes them unsure again.
        self._unsure.difference_update(*behind.values())
        failed = False
        for cursor, subscribers in behind.items():
            try:
                self._deliver(subscribers, cursor, await self._renderer(cursor))
            except UnknownTask:
                self._end_all()
                break
            except StoreDamaged as error:
                logger.error("a frame reaches a damaged part of the store", error=str(error))
                for subscriber in subscribers:
                    subscriber.send_away("damaged", DAMAGED_MS)
            except Exception as error:
                # These streams keep their state until a retry; streams at other cursors get their frames.
                expected = isinstance(error, StoreError)
                logger.warning("a frame could not be made", error=str(error), exc_info=None if expected else error)
                self._unsure |= self.live & set(subscribers)
                failed = True
        if failed:
            self._flushing = False
            self._set_timer(RETRY)
            return
        self._flushed(started, again=bool(self._unsure))

    def _deliver(self, subscribers: list[Subscriber], cursor: int, chunk: Chunk | None) -> None:
        if chunk is not None and chunk.flags is not None:
            self.shown_flags.add(chunk.flags)
        for subscriber in subscribers:
            if chunk is None or subscriber.over or subscriber.cursor != cursor or subscriber not in self.live:
                continue
            if subscriber.busy:
                self.live.discard(subscriber)
                continue
            subscriber.take(chunk)
            self.stats.events_out += chunk.events
            if subscriber.busy:
                self.live.discard(subscriber)
            elif chunk.events >= CHUNK_EVENTS:
                self._unsure.add(subscriber)

    def _end_all(self) -> None:
        for subscriber in list(self.everyone):
            subscriber.finish(subscriber.control_messages.gone(subscriber.cursor))
        self._unsure.clear()

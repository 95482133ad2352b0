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
from signalbox.webapp.live.lane import DAMAGED_RETRY_MS, RETRY_SECONDS, Lane
from signalbox.webapp.live.pace import Pace
from signalbox.webapp.live.renderer import MemoryRenderer, NotInMemory, Renderer, StateRenderer
from signalbox.webapp.live.ring import Ring
from signalbox.webapp.live.stats import Stats
from signalbox.webapp.live.subscriber import Subscriber

logger = structlog.get_logger("signalbox.live")

Place = tuple[int, str]
"""The cursor of a stream, and the name of the state that its page shows, or ""."""


class FrameLane(Lane):
    """The streams that `renderer` serves."""

    def __init__(
        self,
        ring: Ring,
        pace: Pace,
        stats: Stats,
        renderer: Renderer | StateRenderer,
        control_messages: ControlMessages,
    ) -> None:
        super().__init__(ring, pace, stats, control_messages)
        self._renderer = renderer
        self._from_memory = renderer.from_memory if isinstance(renderer, MemoryRenderer) else _not_in_memory
        self._to_render: set[Subscriber] = set()
        self._task: asyncio.Task[None] | None = None

    def join(self, subscriber: Subscriber) -> None:
        self.subscribers.add(subscriber)
        self.live.add(subscriber)
        self._to_render.add(subscriber)
        self.wake()

    def leave(self, subscriber: Subscriber) -> None:
        super().leave(subscriber)
        self._to_render.discard(subscriber)

    def recheck(self) -> None:
        """Render a frame for all streams again, because content may have changed without a new position."""
        self._to_render |= self.live
        self.wake()

    def send_greetings(self, project_sets: Collection[ProjectIds]) -> None:
        """Send a new greeting to the streams whose readers see these projects."""
        for subscriber in list(self.subscribers):
            if subscriber.ticket.visible_projects in project_sets:
                subscriber.send_control(subscriber.control_messages.greeting(subscriber.cursor))

    def close(self) -> None:
        super().close()
        if self._task:
            self._task.cancel()

    def _flush(self, started: float) -> None:
        behind: dict[Place, list[Subscriber]] = {}
        for subscriber in list(self.live):
            if subscriber.busy:
                self._pause(subscriber)
            elif subscriber in self._to_render or subscriber.cursor < self.ring.head:
                behind.setdefault((subscriber.cursor, subscriber.shown), []).append(subscriber)
        # A change during rendering may be missing from the frame; `recheck` then adds these subscribers again.
        self._to_render.difference_update(*behind.values())
        for place in list(behind):
            try:
                chunk = self._from_memory(*place)
            except NotInMemory:
                continue
            self._deliver(behind.pop(place), place, chunk)
        if behind:
            self._task = asyncio.create_task(self._read(behind, started))
        else:
            self._flushed(started, again=bool(self._to_render))

    async def _read(self, behind: dict[Place, list[Subscriber]], started: float) -> None:
        """Serve these subscribers, by place, with frames that need a read."""
        failed = False
        for place, subscribers in behind.items():
            try:
                self._deliver(subscribers, place, await self._render(*place))
            except UnknownTask:
                self._end_all()
                break
            except StoreDamaged as error:
                logger.error("a frame reaches a damaged part of the store", error=str(error))
                for subscriber in subscribers:
                    subscriber.disconnect("damaged", DAMAGED_RETRY_MS)
            except Exception as error:
                # These streams keep their state until a retry; streams at other places get their frames.
                expected = isinstance(error, StoreError)
                logger.warning("a frame could not be rendered", error=str(error), exc_info=None if expected else error)
                self._to_render |= self.live & set(subscribers)
                failed = True
        if failed:
            self._flushing = False
            self._set_timer(RETRY_SECONDS)
            return
        self._flushed(started, again=bool(self._to_render))

    async def _render(self, cursor: int, shown: str) -> Chunk | None:
        if isinstance(self._renderer, StateRenderer):
            return await self._renderer.from_state(cursor, shown)
        return await self._renderer(cursor)

    def _deliver(self, subscribers: list[Subscriber], place: Place, chunk: Chunk | None) -> None:
        if chunk is not None and chunk.flags is not None:
            self.shown_flags.add(chunk.flags)
        for subscriber in subscribers:
            moved = (subscriber.cursor, subscriber.shown) != place
            if chunk is None or subscriber.ending or moved or subscriber not in self.live:
                continue
            if subscriber.busy:
                self._pause(subscriber)
                continue
            subscriber.take(chunk)
            self.stats.events_out += chunk.events
            if subscriber.busy:
                self._pause(subscriber)
            elif chunk.more:
                self._to_render.add(subscriber)

    def _pause(self, subscriber: Subscriber) -> None:
        """Render nothing for a stream until its reader has taken the waiting bytes. `Subscriber` then calls `join`."""
        self.live.discard(subscriber)
        # Otherwise the lane would flush again and again, because a stream is left to be rendered.
        self._to_render.discard(subscriber)

    def _end_all(self) -> None:
        for subscriber in list(self.subscribers):
            subscriber.finish(subscriber.control_messages.gone(subscriber.cursor))
        self._to_render.clear()


def _not_in_memory(cursor: int, shown: str) -> Chunk | None:
    raise NotInMemory

"""A lane of events, each encoded once: from the ring, or from the store while a subscriber is behind the ring.

Live subscribers are written to by the flush, most of them as a crowd that stands at one cursor. One that is behind,
because it is new or its reader stalled, is served by itself until it is live again, and joins the crowd after that.
"""

from __future__ import annotations

import asyncio
import time

import structlog

from signalbox.store import Store, StoreDamaged, StoreError, UnknownTask
from signalbox.webapp.live.catch_up_cache import CatchUpCache
from signalbox.webapp.live.chunk import Chunk
from signalbox.webapp.live.control_messages import ControlMessages
from signalbox.webapp.live.crowd import Crowd, CrowdMember
from signalbox.webapp.live.lane import DAMAGED_MS, RETRY, Lane
from signalbox.webapp.live.pace import Pace
from signalbox.webapp.live.ring import CHUNK_BYTES, Encode, Ring
from signalbox.webapp.live.stats import Stats
from signalbox.webapp.live.subscriber import Subscriber

SLICE = 512
"""Subscribers that are written to in one turn of the event loop."""

logger = structlog.get_logger("signalbox.live")


FIRST = 100
"""Events of the first read. If they are long, no second read follows, to bound the memory."""


class EventLane(Lane):
    """The streams of one task's events as `encode` writes them."""

    # A flush of events never waits, so its cost is its processor time, however busy the machine is.
    clock = staticmethod(time.thread_time)

    def __init__(
        self,
        ring: Ring,
        pace: Pace,
        stats: Stats,
        store: Store,
        task_id: str,
        encode: Encode,
        control_messages: ControlMessages,
        catch_up_cache: CatchUpCache,
        identity: str = "",
    ) -> None:
        super().__init__(ring, pace, stats, control_messages)
        self._identity = identity
        self._store = store
        self._task_id = task_id
        self.encode = encode
        self._catch_up_cache = catch_up_cache
        self._cache_key = object()
        self._crowd = Crowd()
        self._single: set[Subscriber] = set()

    def close(self) -> None:
        super().close()
        self._catch_up_cache.forget(self._cache_key)

    def leave(self, subscriber: Subscriber) -> None:
        super().leave(subscriber)
        self._single.discard(subscriber)
        self._crowd.leave(subscriber)

    def position(self, subscriber: Subscriber) -> int:
        return self._crowd.position(subscriber) if subscriber in self._crowd else subscriber.cursor

    def idle_ticks(self, subscriber: Subscriber) -> int:
        in_crowd = subscriber in self._crowd
        return self.tick - (max(subscriber.last_write, self._crowd.last_write) if in_crowd else subscriber.last_write)

    def join(self, subscriber: Subscriber) -> None:
        self.everyone.add(subscriber)
        if subscriber.catching_up is None and subscriber not in self._crowd:
            self._settle(subscriber)

    def _settle(self, subscriber: Subscriber, *, at_head: bool = False) -> None:
        """Write what the ring has. Then the subscriber is live, waits for its reader, or must read from the store."""
        while not (subscriber.busy or subscriber.over):
            chunk = self.ring.after(subscriber.cursor, self.encode, subscriber.events_left)
            if chunk is None:
                break
            subscriber.take(chunk)
            self.stats.ring_hits += 1
            self.stats.events_out += chunk.events
        if subscriber.busy or subscriber.over:
            return
        if subscriber.cursor >= self.ring.head and (at_head or self.ring.head > 0):
            self.live.add(subscriber)
            self._single.add(subscriber)
        else:
            subscriber.catching_up = asyncio.create_task(self._catch_up(subscriber))

    async def _catch_up(self, subscriber: Subscriber) -> None:
        try:
            await self._reach_the_head(subscriber)
        except Exception as error:
            logger.error("a stream cannot catch up", task_id=self._task_id, exc_info=error)
            subscriber.catching_up = None
            subscriber.send_away("error", 1000)

    async def _reach_the_head(self, subscriber: Subscriber) -> None:
        at_head = False
        while not (subscriber.busy or subscriber.over or at_head):
            # Switch to the ring as soon as it can serve: a reader of the store would chase a moving end.
            if self.ring.head and (
                subscriber.cursor >= self.ring.head or self.ring.after(subscriber.cursor, self.encode)
            ):
                break
            try:
                at_head = not await self._read_on(subscriber)
            except UnknownTask:
                subscriber.finish(subscriber.control_messages.gone(subscriber.cursor))
            except StoreDamaged as error:
                logger.error("a stream reaches a damaged part of the store", task_id=self._task_id, error=str(error))
                subscriber.send_away("damaged", DAMAGED_MS)
            except StoreError as error:
                logger.warning("a stream waits for the store", task_id=self._task_id, error=str(error))
                await asyncio.sleep(RETRY)
            except Exception as error:
                logger.error("a stream cannot go on", task_id=self._task_id, exc_info=error)
                subscriber.send_away("error", DAMAGED_MS)
        subscriber.catching_up = None
        if subscriber in self.everyone:
            self._settle(subscriber, at_head=at_head)

    async def _read_on(self, subscriber: Subscriber) -> bool:
        """Write one chunk from the store; return False if there is none."""
        segment = await self._catch_up_cache.take(self._cache_key, subscriber.cursor, self._read)
        if subscriber.busy or subscriber.over:
            return True
        chunk = segment.after(subscriber.cursor, subscriber.events_left)
        if chunk is None:
            return False
        subscriber.take(chunk)
        self.stats.catch_ups += 1
        self.stats.events_out += chunk.events
        # A cache hit never awaits, so yield once; otherwise one reader would starve the others.
        await asyncio.sleep(0)
        return True

    async def _read(self, cursor: int, most: int) -> list[bytes]:
        async with self._store.read() as view:
            events = await view.events(self._task_id, cursor, min(most, FIRST))
            read = sum(len(memoryview(event.payload_json)) for event in events)
            if len(events) == FIRST < most and read < CHUNK_BYTES:
                events += await view.events(self._task_id, events[-1].seq, most - FIRST)
            if self._identity and (await view.head(self._task_id)).identity != self._identity:
                raise UnknownTask(self._task_id)
        return [self.encode(event) for event in events]

    def _flush(self, started: float) -> None:
        for subscriber in list(self._single):
            self._serve(subscriber)
        crowd = self._crowd
        chunk = self.ring.after(crowd.cursor, self.encode) if crowd else None
        if chunk is None or chunk.last:
            for subscriber in crowd:
                self._serve(subscriber)
            self._regroup(started)
            return
        for subscriber in crowd.ending(chunk.to_seq):
            self._serve(subscriber)
        self._write_slice(chunk, crowd.members() if chunk.body else [], 0, started)

    def _serve(self, subscriber: Subscriber) -> None:
        """Bring one subscriber up to the head by itself."""
        self._crowd.leave(subscriber)
        self._single.discard(subscriber)
        self.live.discard(subscriber)
        if subscriber in self.everyone and subscriber.catching_up is None:
            self._settle(subscriber)

    def _write_slice(self, chunk: Chunk, crowd: list[CrowdMember], start: int, started: float) -> None:
        """Write the chunk to the whole crowd, some in each turn of the event loop."""
        part = self._crowd.present(crowd[start : start + SLICE])
        stalled = self._crowd.write(chunk, part)
        for subscriber in stalled:
            self._serve(subscriber)
        self.stats.events_out += chunk.events * (len(part) - len(stalled))
        if start + SLICE < len(crowd):
            self._crowd.written(chunk, part)
            asyncio.get_running_loop().call_soon(self.guarded, self._write_slice, chunk, crowd, start + SLICE, started)
            return
        self._crowd.advance(chunk.to_seq)
        self._flushed_to = chunk.to_seq
        if crowd:
            self._crowd.last_write = self.tick
        self._regroup(started)

    def _regroup(self, started: float) -> None:
        """Add the subscribers at the crowd's cursor to the crowd."""
        stand = self._crowd.cursor if self._crowd else self.ring.head
        self._single -= {one for one in self._single if one.cursor == stand and self._crowd.admit(one)}
        self._flushed(started)

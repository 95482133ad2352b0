"""A lane of events, each encoded once: from the ring, or from the store while a subscriber is behind the ring.

A flush writes to the live subscribers, most of which form a group with the same cursor. A subscriber that is behind,
because it is new or its reader stalled, is served on its own until it is live again; then it joins the group.
"""

from __future__ import annotations

import asyncio
import time

import structlog

from signalbox.store import Store, StoreDamaged, StoreError, UnknownTask
from signalbox.store.bounded_reads import STEP, events_within, payload_bytes, rows_within
from signalbox.store.identity import check_identity
from signalbox.webapp.live.catch_up_cache import CatchUpCache
from signalbox.webapp.live.chunk import CHUNK_BYTES, FIRST_EVENTS, Chunk
from signalbox.webapp.live.control_messages import ControlMessages
from signalbox.webapp.live.cursor_group import CursorGroup, GroupMember
from signalbox.webapp.live.lane import DAMAGED_RETRY_MS, RETRY_SECONDS, Lane
from signalbox.webapp.live.pace import Pace
from signalbox.webapp.live.ring import Encode, Ring
from signalbox.webapp.live.stats import Stats
from signalbox.webapp.live.subscriber import Subscriber

SUBSCRIBERS_PER_SLICE = 512
"""How many subscribers a flush writes to before it yields to the event loop."""

logger = structlog.get_logger("signalbox.live")


FIRST_READ_EVENTS = 100
"""Maximum number of events in the first read. It is smaller after long events."""

SEGMENT_BYTES = 5 * 1024 * 1024
"""Whole segments are read only if their payloads have about this many bytes, and else as much as one chunk has."""


class EventLane(Lane):
    """The streams of one task's events as `encode` writes them."""

    # A flush of events never waits, so processor time measures its cost even on a busy machine.
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
        self._first_read = FIRST_EVENTS
        self._group = CursorGroup()
        self._single: set[Subscriber] = set()

    def close(self) -> None:
        super().close()
        self._catch_up_cache.forget(self._cache_key)

    def leave(self, subscriber: Subscriber) -> None:
        super().leave(subscriber)
        self._single.discard(subscriber)
        self._group.leave(subscriber)

    def recheck(self) -> None:
        """Do nothing: an event does not change."""

    def position(self, subscriber: Subscriber) -> int:
        return self._group.position(subscriber) if subscriber in self._group else subscriber.cursor

    def idle_ticks(self, subscriber: Subscriber) -> int:
        in_group = subscriber in self._group
        return self.tick - (max(subscriber.last_write, self._group.last_write) if in_group else subscriber.last_write)

    def join(self, subscriber: Subscriber) -> None:
        self.subscribers.add(subscriber)
        if subscriber.catching_up is None and subscriber not in self._group:
            self._serve_from_ring(subscriber)

    def _serve_from_ring(self, subscriber: Subscriber, *, at_head: bool = False) -> None:
        """Write the events that are in the ring. If the ring lacks some, start to read them from the store."""
        while not (subscriber.busy or subscriber.ending):
            chunk = self.ring.after(subscriber.cursor, self.encode, subscriber.events_left)
            if chunk is None:
                break
            subscriber.take(chunk)
            self.stats.ring_hits += 1
            self.stats.events_out += chunk.events
        if subscriber.busy or subscriber.ending:
            return
        if subscriber.cursor >= self.ring.head and (at_head or self.ring.head > 0):
            self.live.add(subscriber)
            self._single.add(subscriber)
        else:
            subscriber.catching_up = asyncio.create_task(self._catch_up(subscriber))

    async def _catch_up(self, subscriber: Subscriber) -> None:
        try:
            await self._read_to_head(subscriber)
        except Exception as error:
            logger.error("a stream cannot catch up", task_id=self._task_id, exc_info=error)
            subscriber.catching_up = None
            subscriber.disconnect("error", 1000)

    async def _read_to_head(self, subscriber: Subscriber) -> None:
        at_head = False
        while not (subscriber.busy or subscriber.ending or at_head):
            # Switch to the ring as soon as it has the next event: reads from the store may never reach a moving head.
            if self.ring.head and (
                subscriber.cursor >= self.ring.head or self.ring.after(subscriber.cursor, self.encode)
            ):
                break
            try:
                at_head = not await self._write_from_store(subscriber)
            except UnknownTask:
                subscriber.finish(subscriber.control_messages.gone(subscriber.cursor))
            except StoreDamaged as error:
                logger.error("a stream reaches a damaged part of the store", task_id=self._task_id, error=str(error))
                subscriber.disconnect("damaged", DAMAGED_RETRY_MS)
            except StoreError as error:
                logger.warning("a stream waits for the store", task_id=self._task_id, error=str(error))
                await asyncio.sleep(RETRY_SECONDS)
            except Exception as error:
                logger.error("a stream failed", task_id=self._task_id, exc_info=error)
                subscriber.disconnect("error", DAMAGED_RETRY_MS)
        subscriber.catching_up = None
        if subscriber in self.subscribers:
            self._serve_from_ring(subscriber, at_head=at_head)

    async def _write_from_store(self, subscriber: Subscriber) -> bool:
        """Write one chunk from the store. Return False if the store has no events after the cursor."""
        segment = await self._catch_up_cache.take(self._cache_key, subscriber.cursor, self._read)
        if subscriber.busy or subscriber.ending:
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

    async def _read(self, cursor: int, limit: int) -> list[bytes]:
        async with self._store.read() as view:
            steps = (self._first_read, STEP)
            events, more = await events_within(view, self._task_id, cursor, limit, CHUNK_BYTES, steps=steps)
            size = sum(map(payload_bytes, events))
            if events:
                self._first_read = rows_within(CHUNK_BYTES, len(events), size, FIRST_READ_EVENTS)
            if more and limit * size <= len(events) * SEGMENT_BYTES:
                rest = limit - len(events)
                events += (await events_within(view, self._task_id, events[-1].seq, rest, SEGMENT_BYTES))[0]
            if self._identity:
                check_identity(self._task_id, self._identity, (await view.head(self._task_id)).identity)
        return [self.encode(event) for event in events]

    def _flush(self, started: float) -> None:
        for subscriber in list(self._single):
            self._serve(subscriber)
        group = self._group
        chunk = self.ring.after(group.cursor, self.encode) if group else None
        if chunk is None or chunk.last:
            for subscriber in group:
                self._serve(subscriber)
            self._merge_singles(started)
            return
        for subscriber in group.remove_finished(chunk.to_seq):
            self._serve(subscriber)
        self._write_slice(chunk, group.members() if chunk.body else [], 0, started)

    def _serve(self, subscriber: Subscriber) -> None:
        """Serve one subscriber on its own."""
        self._group.leave(subscriber)
        self._single.discard(subscriber)
        self.live.discard(subscriber)
        if subscriber in self.subscribers and subscriber.catching_up is None:
            self._serve_from_ring(subscriber)

    def _write_slice(self, chunk: Chunk, group: list[GroupMember], start: int, started: float) -> None:
        """Write the chunk to the members from index `start` on, one slice per turn of the event loop."""
        part = self._group.still_members(group[start : start + SUBSCRIBERS_PER_SLICE])
        stalled = self._group.write(chunk, part)
        for subscriber in stalled:
            self._serve(subscriber)
        self.stats.events_out += chunk.events * (len(part) - len(stalled))
        if start + SUBSCRIBERS_PER_SLICE < len(group):
            self._group.mark_written(chunk, part)
            asyncio.get_running_loop().call_soon(
                self.guarded, self._write_slice, chunk, group, start + SUBSCRIBERS_PER_SLICE, started
            )
            return
        self._group.advance(chunk.to_seq)
        self._flushed_to = chunk.to_seq
        if group:
            self._group.last_write = self.tick
        self._merge_singles(started)

    def _merge_singles(self, started: float) -> None:
        """Add the single subscribers at the group's cursor to the group."""
        if self._single:
            cursor = self._group.cursor if self._group else self.ring.head
            self._single -= {one for one in self._single if one.cursor == cursor and self._group.admit(one)}
        self._flushed(started)

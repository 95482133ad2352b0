"""Lanes: the subscribers of one channel that get the same bytes at the same pace.

A live subscriber stands at the head and is written to by its lane's flush. One that is behind (new, or its reader
stalled) is served from the ring, or from the store while it is out of the ring, until it is live again.
"""

from __future__ import annotations

import asyncio
import time
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from typing import Protocol

import structlog

from store import Store, StoreError
from webapp.live import sse
from webapp.live.pace import Pace
from webapp.live.ring import CHUNK_EVENTS, Chunk, Encode, Ring, cut
from webapp.live.subscriber import Subscriber

SLICE = 512
"""Subscribers served in one turn of the event loop."""

RETRY = 1.0
"""Seconds until a store that did not answer is asked again."""

Render = Callable[[int], Awaitable[Chunk | None]]
"""What brings a page at a cursor up to date: a frame, or None when there is nothing to change."""

logger = structlog.get_logger("signalbox.live")


class Log(Protocol):
    """What a lane follows: a ring, or anything else that grows."""

    @property
    def head(self) -> int:
        """The newest position."""


class Lane(ABC):
    """The live subscribers, and when they are flushed next."""

    def __init__(self, log: Log, pace: Pace) -> None:
        self.log = log
        self.live: set[Subscriber] = set()
        self.everyone: set[Subscriber] = set()
        self.flushes = 0
        self.flush_seconds = 0.0
        self._pace = pace
        self._timer: asyncio.TimerHandle | None = None
        self._flushing = False
        self._flushed_to = log.head

    def leave(self, subscriber: Subscriber) -> None:
        """Serve a subscriber no more."""
        self.everyone.discard(subscriber)
        self.live.discard(subscriber)

    def wake(self) -> None:
        """There is something new: flush as soon as the pace allows."""
        if self._flushing or not self.live:
            return
        self._set_timer(self._pace.delay(self.log.head - self._flushed_to))

    def heartbeat(self, subscriber: Subscriber) -> bytes:
        """What a silent stream of this lane hears."""
        return sse.KEEPALIVE

    def close(self) -> None:
        """Forget the next flush."""
        if self._timer:
            self._timer.cancel()

    def _set_timer(self, delay: float) -> None:
        self.close()
        self._timer = asyncio.get_running_loop().call_later(delay, self._begin)

    def _begin(self) -> None:
        self._timer = None
        self._flushing = True
        self._flushed_to = self.log.head
        self._flush(time.perf_counter())

    def _flushed(self, started: float, again: bool) -> None:
        cost = time.perf_counter() - started
        self._pace.flushed(cost)
        self.flushes += 1
        self.flush_seconds += cost
        self._flushing = False
        if again or self.log.head > self._flushed_to:
            self.wake()

    @abstractmethod
    def join(self, subscriber: Subscriber) -> None:
        """Serve a subscriber from its cursor on; called again each time a stall is over."""

    @abstractmethod
    def _flush(self, started: float) -> None:
        """Serve the live subscribers, then call `_flushed`."""


class EventLane(Lane):
    """Events one by one, encoded once, out of the ring or out of the store."""

    def __init__(self, ring: Ring, pace: Pace, store: Store, task_id: str, encode: Encode) -> None:
        super().__init__(ring, pace)
        self.ring = ring
        self._store = store
        self._task_id = task_id
        self._encode = encode

    def join(self, subscriber: Subscriber) -> None:
        self.everyone.add(subscriber)
        if subscriber.catching_up is None:
            self._settle(subscriber)

    def _settle(self, subscriber: Subscriber, *, at_head: bool = False) -> None:
        """Serve what the ring has; then it is live, or waits for its reader, or must read from the store."""
        while not (subscriber.busy or subscriber.over):
            chunk = self.ring.after(subscriber.cursor, self._encode, subscriber.events_left)
            if chunk is None:
                break
            subscriber.take(chunk)
        if subscriber.busy or subscriber.over:
            return
        if subscriber.cursor >= self.ring.head and (at_head or self.ring.head > 0):
            self.live.add(subscriber)
        else:
            subscriber.catching_up = asyncio.create_task(self._catch_up(subscriber))

    async def _catch_up(self, subscriber: Subscriber) -> None:
        events = None
        while not (subscriber.busy or subscriber.over):
            if self.ring.after(subscriber.cursor, self._encode) is not None:
                break
            try:
                async with self._store.read() as view:
                    most = min(CHUNK_EVENTS, subscriber.events_left)
                    events = await view.events(self._task_id, subscriber.cursor, most)
            except StoreError as error:
                logger.warning("a stream waits for the store", task_id=self._task_id, error=str(error))
                await asyncio.sleep(RETRY)
                continue
            if not events:
                break
            subscriber.take(cut([self._encode(event) for event in events], 0, subscriber.cursor))
            await asyncio.sleep(0)
        subscriber.catching_up = None
        if subscriber in self.everyone:
            self._settle(subscriber, at_head=events is not None and not events)

    def _flush(self, started: float) -> None:
        self._serve(list(self.live), 0, started)

    def _serve(self, subscribers: list[Subscriber], start: int, started: float) -> None:
        ring, encode = self.ring, self._encode
        for subscriber in subscribers[start : start + SLICE]:
            chunk = ring.after(subscriber.cursor, encode, subscriber.events_left)
            if chunk is not None and not subscriber.over:
                subscriber.take(chunk)
            if chunk is None or subscriber.busy or chunk.to_seq < ring.head:
                self.live.discard(subscriber)
                if not subscriber.busy and subscriber in self.everyone:
                    self._settle(subscriber)
        if start + SLICE < len(subscribers):
            asyncio.get_running_loop().call_soon(self._serve, subscribers, start + SLICE, started)
        else:
            self._flushed(started, again=False)


class FrameLane(Lane):
    """Pages: what changed after a cursor, rendered once for all pages that stand there."""

    def __init__(self, log: Log, pace: Pace, render: Render) -> None:
        super().__init__(log, pace)
        self._render = render
        self._unsure: set[Subscriber] = set()
        self._task: asyncio.Task[None] | None = None

    def join(self, subscriber: Subscriber) -> None:
        self.everyone.add(subscriber)
        self.live.add(subscriber)
        self._unsure.add(subscriber)
        self.wake()

    def recheck(self) -> None:
        """Something may have changed that no position tells."""
        self._unsure |= self.live
        self.wake()

    def heartbeat(self, subscriber: Subscriber) -> bytes:
        # Its own cursor: a page that has less has lost something on the way.
        return sse.named("heartbeat", {"latest_seq": subscriber.cursor})

    def leave(self, subscriber: Subscriber) -> None:
        super().leave(subscriber)
        self._unsure.discard(subscriber)

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
        except StoreError as error:
            logger.warning("pages wait for the store", error=str(error))
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
            if subscriber.busy:
                self.live.discard(subscriber)

"""The hub: a channel per watched task, all fed by the one tail."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable, Iterator, Sequence
from itertools import groupby
from operator import attrgetter

from store import Event, Store
from webapp.live import sse
from webapp.live.lane import EventLane, FrameLane, Lane
from webapp.live.pace import Pace
from webapp.live.ring import Chunk, Encode, Ring
from webapp.live.subscriber import Subscriber
from webapp.settings import Settings

RenderTask = Callable[[str, int], Awaitable[Chunk | None]]
"""`(task_id, cursor)` → the frame that brings a page of the task from that cursor up to date."""

FAREWELL_SPREAD_MS = (200, 3000)
"""Between these a client waits before it reconnects after a farewell, so that a restart makes no herd."""


class TooManyStreams(Exception):
    """The cap on open streams is reached, or the server is about to stop; `retry_after` in seconds, jittered."""

    def __init__(self) -> None:
        super().__init__("all streams of this server are taken")
        self.retry_after = random.uniform(1, 5)


class Channel:
    """One task's ring and the lanes of those who watch it."""

    def __init__(self, task_id: str, ring: Ring) -> None:
        self.task_id = task_id
        self.ring = ring
        self.lanes: dict[object, Lane] = {}

    def push(self, events: Sequence[Event]) -> None:
        """Take new events from the tail."""
        self.ring.push(events)
        for lane in self.lanes.values():
            lane.wake()


class Hub:
    """Opens streams on tasks, keeps idle ones alive, ends old ones, says farewell to all."""

    def __init__(self, store: Store, settings: Settings, render_task: RenderTask) -> None:
        self._store = store
        self._settings = settings
        self._render_task = render_task
        self._channels: dict[str, Channel] = {}
        self._loop = asyncio.get_running_loop()
        self._sweeper = asyncio.create_task(self._sweep(), name="signalbox-sweeper")
        self.listeners: list[Callable[[Sequence[Event]], None]] = []
        self.closing = False
        self.open_streams = 0
        self._empty = asyncio.Event()
        self._empty.set()

    def deliver(self, events: Sequence[Event]) -> None:
        """What the tail calls with new events of all tasks, in commit order."""
        for listener in self.listeners:
            listener(events)
        watched = [event for event in events if event.task_id in self._channels]
        if len(events) > 1:
            watched.sort(key=attrgetter("task_id"))
        for task_id, group in groupby(watched, key=attrgetter("task_id")):
            self._channels[task_id].push(list(group))

    def event_lane(self, task_id: str, encode: Encode, batch_size: int, flush_interval: float) -> Lane:
        """The lane of a task's events as `encode` writes them."""
        channel = self._channel(task_id)
        key = (encode, batch_size, flush_interval)
        if key not in channel.lanes:
            pace = Pace(flush_interval, batch_size)
            channel.lanes[key] = EventLane(channel.ring, pace, self._store, task_id, encode)
        return channel.lanes[key]

    def frame_lane(self, task_id: str) -> Lane:
        """The lane of a task's live pages."""
        channel = self._channel(task_id)
        if "frames" not in channel.lanes:

            async def render(cursor: int) -> Chunk | None:
                return await self._render_task(task_id, cursor)

            pace = Pace(self._settings.flush_interval, self._settings.batch_size)
            channel.lanes["frames"] = FrameLane(channel.ring, pace, render)
        return channel.lanes["frames"]

    def admit(self) -> None:
        """Raise TooManyStreams unless one more stream may open. Nobody is evicted to let another in."""
        if self.closing or self.open_streams >= self._settings.max_streams:
            raise TooManyStreams

    def opened(self) -> None:
        """Count one more open stream."""
        self.open_streams += 1
        self._empty.clear()

    def closed(self) -> None:
        """Count one less."""
        self.open_streams -= 1
        if not self.open_streams:
            self._empty.set()

    def subscriber(self, lane: Lane, cursor: int, send: Callable[..., object]) -> Subscriber:
        """A subscriber with this server's limits; `run()` it."""
        life = self._settings.max_stream_life * random.uniform(0.8, 1.0)
        return Subscriber(
            lane,
            cursor,
            send,  # type: ignore[arg-type]
            max_events=self._settings.max_events_per_stream,
            deadline=self._loop.time() + life,
        )

    def release(self, task_id: str) -> None:
        """Drop what nobody watches any more."""
        channel = self._channels.get(task_id)
        if channel is None:
            return
        for key, lane in list(channel.lanes.items()):
            if not lane.everyone:
                lane.close()
                del channel.lanes[key]
        if not channel.lanes:
            del self._channels[task_id]

    async def close(self, patience: float = 1.8) -> None:
        """Tell every stream to come back later, each after its own wait, and let them end for `patience` seconds."""
        self.closing = True
        self._sweeper.cancel()
        for subscriber in list(self.subscribers()):
            subscriber.finish(farewell())
        for channel in self._channels.values():
            for lane in channel.lanes.values():
                lane.close()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._empty.wait(), patience)

    def subscribers(self) -> Iterator[Subscriber]:
        """All open streams."""
        for channel in self._channels.values():
            for lane in channel.lanes.values():
                yield from lane.everyone

    @property
    def channels(self) -> int:
        """Tasks that are being watched."""
        return len(self._channels)

    def lags(self) -> list[int]:
        """For each stream the events it is behind its task's newest."""
        return [
            max(0, channel.ring.head - subscriber.cursor)
            for channel in self._channels.values()
            for lane in channel.lanes.values()
            for subscriber in lane.everyone
        ]

    def _channel(self, task_id: str) -> Channel:
        if task_id not in self._channels:
            self._channels[task_id] = Channel(task_id, Ring(self._settings.ring_events))
        return self._channels[task_id]

    async def _sweep(self) -> None:
        """Once a tick: a sign of life to the silent, an end to the old and to those whose reader takes nothing."""
        interval = self._settings.keepalive_interval
        tick = min(1.0, interval / 5)
        while True:
            await asyncio.sleep(tick)
            now = self._loop.time()
            for channel in list(self._channels.values()):
                for lane in list(channel.lanes.values()):
                    beat = lane.heartbeat()
                    for subscriber in list(lane.everyone):
                        self._tend(subscriber, now, interval - tick, beat)
                await asyncio.sleep(0)

    def _tend(self, subscriber: Subscriber, now: float, silence: float, beat: bytes) -> None:
        stalled_since = subscriber.sink.stalled_since
        if stalled_since is not None:
            if now - stalled_since > self._settings.send_timeout:
                subscriber.abort()
        elif now > subscriber.deadline:
            subscriber.finish(sse.named("reconnect", {"reason": "max_stream_life"}, retry_ms=100))
        elif now - subscriber.sink.written_at >= silence:
            subscriber.say(beat)


def farewell() -> bytes:
    """What a stream hears last when the server stops."""
    return sse.named("reconnect", {"reason": "shutdown"}, retry_ms=random.randint(*FAREWELL_SPREAD_MS))

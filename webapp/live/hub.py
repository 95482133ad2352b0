"""The hub: a channel per watched task, all fed by the one tail."""

from __future__ import annotations

import asyncio
import contextlib
import math
import random
import statistics
import sys
import time
from collections.abc import Collection, Iterator, Sequence
from itertools import groupby
from operator import attrgetter

import structlog

from signalbox.store import Event, Store
from signalbox.store.loops import Loops
from signalbox.store.tasklist import MINUTE
from signalbox.webapp.auth.principal import Projects
from signalbox.webapp.auth.ticket import Ticket
from signalbox.webapp.http.refusals import TooManyStreams
from signalbox.webapp.live.callers import Callers
from signalbox.webapp.live.catch_up_cache import CatchUpCache
from signalbox.webapp.live.channel import Channel
from signalbox.webapp.live.control_messages import JSON, ControlMessages, Pages
from signalbox.webapp.live.event_lane import EventLane
from signalbox.webapp.live.frame_lane import FrameLane
from signalbox.webapp.live.lane import Lane
from signalbox.webapp.live.pace import Pace
from signalbox.webapp.live.permission_counts import PermissionCounts
from signalbox.webapp.live.renderer import Renderer
from signalbox.webapp.live.ring import Encode, Ring
from signalbox.webapp.live.sink import Send
from signalbox.webapp.live.stats import Stats
from signalbox.webapp.live.stream_encoding import Plain, StreamEncoding, choose
from signalbox.webapp.live.subscriber import Subscriber
from signalbox.webapp.live.tail_pause import TailPause
from signalbox.webapp.live.task_changes import TaskChanges
from signalbox.webapp.settings import Settings

FAREWELL_SPREAD_MS = (200, 3000)
"""Between these a client waits before it reconnects after a farewell, so that a restart makes no herd."""

CROWDED = 100
"""With more streams than this, each gets up to half of its events less: what began together must not end together."""


logger = structlog.get_logger("signalbox.live")


class Hub:
    """Opens streams on tasks, keeps idle ones alive, ends old ones, says farewell to all."""

    def __init__(self, store: Store, settings: Settings, stats: Stats, loops: Loops | None = None) -> None:
        loops = loops or Loops()
        self._store = store
        self._epoch = store.epoch
        self._settings = settings
        self._stats = stats
        self._channels: dict[str, Channel] = {}
        self._boards: dict[object, FrameLane] = {}
        self.tail_pause = TailPause()
        self._catch_up_cache = CatchUpCache()
        self.callers = Callers()
        self._permission_counts = PermissionCounts(
            store, self.callers.sights, self._tell_pages, loops.loop("permission_counts")
        )
        self._pages = Pages(self._permission_counts.facts)
        self._loop = asyncio.get_running_loop()
        self._minute = 0.0
        self._sweeper = asyncio.create_task(loops.loop("sweeper").run(self._sweep), name="signalbox-sweeper")
        self._task_changes = TaskChanges(store, self._channels, loops.loop("task_changes"))
        self.closing = False
        self.open_streams = 0
        self._empty = asyncio.Event()
        self._empty.set()

    # what comes in

    def deliver(self, events: Sequence[Event]) -> None:
        """What the tail calls after every look, with the new events of all tasks in commit order."""
        self._stats.events_in += len(events)
        self._task_changes.hear()
        watched = [event for event in events if event.task_id in self._channels]
        if len(watched) > 1:
            watched.sort(key=attrgetter("task_id"))
        for task_id, group in groupby(watched, key=attrgetter("task_id")):
            new, channel = list(group), self._channels[task_id]
            if channel.identity and new[0].identity not in ("", channel.identity):
                # The task was deleted, and another one has its id.
                self._channels.pop(task_id).end()
            else:
                channel.push(new)
        for board in self._boards.values():
            board.recheck()
        self._permission_counts.hear(events)

    # what goes out

    def event_lane(
        self,
        task_id: str,
        encode: Encode,
        batch_size: int,
        flush_interval: float,
        control_messages: ControlMessages = JSON,
        *,
        identity: str = "",
    ) -> Lane:
        """The lane of a task's events as `encode` writes them; `identity` says which task of this id is meant."""
        channel = self._channel(task_id, identity)
        key = (encode, batch_size, flush_interval, control_messages)
        if key not in channel.lanes:
            pace = Pace(flush_interval, batch_size)
            lane = EventLane(
                channel.ring,
                pace,
                self._stats,
                self._store,
                task_id,
                encode,
                control_messages,
                self._catch_up_cache,
                identity,
            )
            lane.when_flushed = self.tail_pause.begin
            channel.lanes[key] = lane
        return channel.lanes[key]

    def frame_lane(
        self,
        task_id: str,
        renderer: Renderer,
        key: object = "frames",
        pace: Pace | None = None,
        control_messages: ControlMessages | None = None,
        *,
        identity: str = "",
    ) -> Lane:
        """The lane of a task's streams that `key` stands for; what the first one brings along serves all.

        They are live pages unless `control_messages` says otherwise.
        """
        channel = self._channel(task_id, identity)
        channel.standing = None
        control_messages = control_messages or self._pages
        whole_key = (key, control_messages)
        if whole_key not in channel.lanes:
            lane = FrameLane(channel.ring, pace or self._pace(), self._stats, renderer, control_messages)
            lane.when_flushed = self.tail_pause.begin
            channel.lanes[whole_key] = lane
        return channel.lanes[whole_key]

    def board_lane(
        self, key: object, renderer: Renderer, pace: Pace | None = None, control_messages: ControlMessages | None = None
    ) -> Lane:
        """The lane of what shows many tasks; `key` stands for which, positions are event ids."""
        if self._store.epoch != self._epoch:
            self.reset()
        control_messages = control_messages or self._pages
        whole_key = (key, control_messages)
        if whole_key not in self._boards:
            lane = FrameLane(Ring(0), pace or self._pace(), self._stats, renderer, control_messages)
            lane.when_flushed = self.tail_pause.begin
            self._boards[whole_key] = lane
        return self._boards[whole_key]

    def stream_encoding(self, accept_encoding: str) -> StreamEncoding:
        """How a stream is compressed for a client that accepts this."""
        return choose(accept_encoding) if self._settings.stream_compression else Plain()

    def admit(self, ticket: Ticket) -> None:
        """Raise TooManyStreams unless one more stream may open. Nobody is evicted to let another in."""
        if self.closing:
            raise TooManyStreams(closing=True)
        most = self._settings.max_streams_per_caller
        full = self.open_streams >= self._settings.max_streams
        if full or self.callers.count(ticket) >= most:
            self._stats.streams_refused += 1
            raise TooManyStreams(None if full else most)

    async def run(
        self, lane: Lane, cursor: int, send: Send, opening: bytes, stream_encoding: StreamEncoding, ticket: Ticket
    ) -> bytes:
        """Serve a stream until it ends; returns its last words."""
        life, most = self._limits() if lane.control_messages.limited else (math.inf, sys.maxsize)
        subscriber = Subscriber(
            lane,
            cursor,
            send,
            stream_encoding,
            ticket,
            max_events=most,
            deadline=self._loop.time() + life,
        )
        if self.closing:
            return subscriber.control_messages.farewell(cursor, "shutdown", _wait_after_shutdown())
        subscriber.say(opening + subscriber.control_messages.greeting(cursor))
        self.callers.enter(subscriber)
        self._permission_counts.join(ticket.sight)
        try:
            return await subscriber.run()
        finally:
            self.callers.leave(subscriber)
            if not lane.everyone:
                self._drop_idle()

    def suspend(self) -> None:
        """The store does not answer: end all streams, so that nobody believes to be up to date."""
        for lane in list(self.lanes()):
            for subscriber in list(lane.everyone):
                subscriber.send_away("store", 1000)

    def reset(self) -> None:
        """The store has another history: end all streams, and forget what was read of the one before."""
        self._epoch = self._store.epoch
        for lane in list(self.lanes()):
            lane.close()
            for subscriber in list(lane.everyone):
                subscriber.finish(subscriber.control_messages.replaced(lane.position(subscriber)))
        self._channels.clear()
        self._boards.clear()

    def opened(self) -> None:
        """Count one more open stream."""
        self.open_streams += 1
        self._stats.streams_opened += 1
        self._empty.clear()

    def closed(self) -> None:
        """Count one less."""
        self.open_streams -= 1
        if not self.open_streams:
            self._empty.set()

    async def close(self, patience: float = 1.8) -> None:
        """Tell every stream to come back later, each after its own wait, and let them end for `patience` seconds.

        The second call does nothing: a server may close the hub before its connections, and the app after them.
        """
        if self.closing:
            return
        self.closing = True
        self._sweeper.cancel()
        self._task_changes.close()
        self._permission_counts.close()
        for lane in list(self.lanes()):
            lane.close()
            for subscriber in list(lane.everyone):
                subscriber.send_away("shutdown", _wait_after_shutdown())
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._empty.wait(), patience)

    # what there is

    def lanes(self) -> Iterator[Lane]:
        """All lanes."""
        for channel in self._channels.values():
            yield from channel.lanes.values()
        yield from self._boards.values()

    @property
    def watched_tasks(self) -> int:
        """Tasks that somebody watches."""
        return len(self._channels)

    def readers(self, task_id: str, encode: Encode) -> int:
        """Streams that read a task's events as `encode` writes them."""
        channel = self._channels.get(task_id)
        return channel.readers(encode) if channel else 0

    def lags(self) -> list[int]:
        """For each stream on a task the events that it is behind."""
        return [
            max(0, lane.ring.head - lane.position(subscriber)) for lane in self.lanes() for subscriber in lane.everyone
        ]

    def _limits(self) -> tuple[float, int]:
        """The life of a stream in seconds, and its events."""
        most = self._settings.max_events_per_stream
        if self.open_streams > CROWDED:
            most = random.randint(most // 2 + 1, most)
        return self._settings.max_stream_life * random.uniform(0.8, 1.0), most

    def _tell_pages(self, sights: Collection[Projects]) -> None:
        for lane in list(self.lanes()):
            if isinstance(lane, FrameLane):
                lane.tell(sights)

    def _pace(self) -> Pace:
        return Pace(self._settings.flush_interval, self._settings.batch_size)

    def _channel(self, task_id: str, identity: str = "") -> Channel:
        known = self._channels.get(task_id)
        if known and identity and known.identity not in ("", identity):
            self._channels.pop(task_id).end()
        if self._store.epoch != self._epoch:
            # A stream of the other history opens before the tail knows of it.
            self.reset()
        if task_id not in self._channels:
            self._channels[task_id] = Channel(self._settings.ring_events, identity)
        return self._channels[task_id]

    def _drop_idle(self) -> None:
        """Forget lanes and channels that nobody watches any more."""
        for task_id, channel in list(self._channels.items()):
            _drop(channel.lanes)
            if not channel.lanes:
                del self._channels[task_id]
        _drop(self._boards)

    async def _sweep(self) -> None:
        """Once a tick: a sign of life to the silent, an end to the old and to those whose reader takes nothing."""
        interval = self._settings.keepalive_interval
        tick = min(1.0, interval / 5)
        silence = int(interval / tick)
        await asyncio.sleep(tick)
        if (now := time.time() // MINUTE) != self._minute:
            self._minute = now
            for board in self._boards.values():
                board.recheck()
        for lane in list(self.lanes()):
            lane.tick += 1
            for subscriber in list(lane.everyone):
                try:
                    self._tend(subscriber, lane, self._loop.time(), silence)
                except Exception as error:
                    # One stream's trouble must not cost the others their signs of life.
                    logger.error("a stream cannot be tended", exc_info=error)
                    subscriber.abort()
            await asyncio.sleep(0)

    def _tend(self, subscriber: Subscriber, lane: Lane, now: float, silence: int) -> None:
        stalled_since = subscriber.sink.stalled_since
        if stalled_since is not None:
            if now - stalled_since > self._settings.send_timeout:
                self._stats.stalls_ended += 1
                subscriber.abort()
        elif now > subscriber.deadline:
            subscriber.send_away("max_stream_life", 100)
        elif lane.idle_ticks(subscriber) >= silence:
            subscriber.say(subscriber.control_messages.heartbeat(lane.position(subscriber)))


def lag_p99(lags: list[int]) -> float:
    """The 99th percentile of lags, 0 without streams."""
    if len(lags) < 2:
        return float(sum(lags))
    return statistics.quantiles(lags, n=100, method="inclusive")[98]


def _drop(lanes: dict[object, Lane] | dict[object, FrameLane]) -> None:
    for key, lane in list(lanes.items()):
        if not lane.everyone:
            lane.close()
            del lanes[key]


def _wait_after_shutdown() -> int:
    return random.randint(*FAREWELL_SPREAD_MS)

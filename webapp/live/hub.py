"""The hub: it opens streams, feeds them from the one tail, and ends them."""

from __future__ import annotations

import asyncio
import contextlib
import math
import random
import sys
from collections.abc import Collection, Sequence

from signalbox.store import Event, Store
from signalbox.store.loops import Loops
from signalbox.webapp.auth.principal import ProjectIds
from signalbox.webapp.auth.ticket import Ticket
from signalbox.webapp.http.refusals import TooManyStreams
from signalbox.webapp.live.callers import Callers
from signalbox.webapp.live.control_messages import Pages
from signalbox.webapp.live.frame_lane import FrameLane
from signalbox.webapp.live.lane import Lane
from signalbox.webapp.live.lanes import Lanes
from signalbox.webapp.live.permission_counts import PermissionCounts
from signalbox.webapp.live.sink import Send
from signalbox.webapp.live.stats import Stats
from signalbox.webapp.live.stream_encoding import Plain, StreamEncoding, choose
from signalbox.webapp.live.subscriber import Subscriber
from signalbox.webapp.live.sweeper import Sweeper
from signalbox.webapp.live.tail_pause import TailPause
from signalbox.webapp.live.task_changes import TaskChanges
from signalbox.webapp.settings import Settings

FAREWELL_SPREAD_MS = (200, 3000)
"""A client waits a random time between these after a farewell, so that not all reconnect at once after a restart."""

STAGGER_ABOVE_STREAMS = 100
"""With more open streams than this, each stream's event limit is lowered at random by up to a half, so that streams
that began together do not end together."""


class Hub:
    """The open streams of a server. `lanes` has one lane for each group of streams that share their bytes."""

    def __init__(self, store: Store, settings: Settings, stats: Stats, loops: Loops | None = None) -> None:
        loops = loops or Loops()
        self._settings = settings
        self._stats = stats
        self.callers = Callers()
        self._permission_counts = PermissionCounts(
            store, self.callers.sights, self._tell_pages, loops.loop("permission_counts")
        )
        self.tail_pause = TailPause()
        self.lanes = Lanes(store, settings, stats, Pages(self._permission_counts.facts), self.tail_pause)
        self._loop = asyncio.get_running_loop()
        self._sweeper = Sweeper(self.lanes, settings, stats, loops.loop("sweeper"))
        self._task_changes = TaskChanges(store, self.lanes.channels, loops.loop("task_changes"))
        self.closing = False
        self.open_streams = 0
        self._empty = asyncio.Event()
        self._empty.set()

    def deliver(self, events: Sequence[Event]) -> None:
        """Take the new events of all tasks in commit order; the tail calls this after every read, also with none."""
        self._stats.events_in += len(events)
        self._task_changes.hear()
        self.lanes.push(events)
        self._permission_counts.hear(events)

    def stream_encoding(self, accept_encoding: str) -> StreamEncoding:
        """Return the compression of a stream for a client that sends this `Accept-Encoding`."""
        return choose(accept_encoding) if self._settings.stream_compression else Plain()

    def admit(self, ticket: Ticket) -> None:
        """Raise TooManyStreams unless one more stream may open. No open stream is ended to admit another."""
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
        """Serve a stream until it ends; returns the bytes that the caller must still write."""
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
                self.lanes.drop_idle()

    def suspend(self) -> None:
        """End all streams because the store does not answer, so that no page claims to be up to date."""
        for lane in list(self.lanes):
            for subscriber in list(lane.everyone):
                subscriber.send_away("store", 1000)

    def reset(self) -> None:
        """End all streams with `reset` because the store has another history."""
        self.lanes.reset()

    def opened(self) -> None:
        """Count one more open stream."""
        self.open_streams += 1
        self._stats.streams_opened += 1
        self._empty.clear()

    def closed(self) -> None:
        """Count one open stream less."""
        self.open_streams -= 1
        if not self.open_streams:
            self._empty.set()

    async def close(self, patience: float = 1.8) -> None:
        """Say farewell to every stream, and let them end for `patience` seconds.

        The second call does nothing: a server may close the hub before its connections, and the app after them.
        """
        if self.closing:
            return
        self.closing = True
        self._sweeper.close()
        self._task_changes.close()
        self._permission_counts.close()
        for lane in list(self.lanes):
            lane.close()
            for subscriber in list(lane.everyone):
                subscriber.send_away("shutdown", _wait_after_shutdown())
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._empty.wait(), patience)

    @property
    def watched_tasks(self) -> int:
        """How many tasks have open streams."""
        return len(self.lanes.channels)

    def _limits(self) -> tuple[float, int]:
        """Return the life of a new stream in seconds, and its number of events."""
        most = self._settings.max_events_per_stream
        if self.open_streams > STAGGER_ABOVE_STREAMS:
            most = random.randint(most // 2 + 1, most)
        return self._settings.max_stream_life * random.uniform(0.8, 1.0), most

    def _tell_pages(self, sights: Collection[ProjectIds]) -> None:
        for lane in list(self.lanes):
            if isinstance(lane, FrameLane):
                lane.tell(sights)


def _wait_after_shutdown() -> int:
    return random.randint(*FAREWELL_SPREAD_MS)

"""The hub: opens streams, passes them the events of the tail, and ends them. Each process has one."""

from __future__ import annotations

import asyncio
import contextlib
import math
import random
import sys
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

from signalbox.store import Event, Store
from signalbox.store.contract.processes import CountKey
from signalbox.store.loops import Loops
from signalbox.store.tail import MAX_REST
from signalbox.webapp.auth.principal import ProjectIds
from signalbox.webapp.auth.ticket import Ticket
from signalbox.webapp.http.refusals import TooManyStreams
from signalbox.webapp.live.callers import Callers, ReservedPlace
from signalbox.webapp.live.control_messages import Pages
from signalbox.webapp.live.frame_lane import FrameLane
from signalbox.webapp.live.lane import Lane
from signalbox.webapp.live.lanes import Lanes
from signalbox.webapp.live.other_processes import CALLER, SESSION, STREAMS, OtherProcesses
from signalbox.webapp.live.permission_counts import PermissionCounts
from signalbox.webapp.live.ring import Encode
from signalbox.webapp.live.sink import Send
from signalbox.webapp.live.stats import Stats
from signalbox.webapp.live.stream_encoding import Plain, StreamEncoding, choose
from signalbox.webapp.live.subscriber import Subscriber
from signalbox.webapp.live.sweeper import Sweeper
from signalbox.webapp.live.tail_pause import TailPause
from signalbox.webapp.live.task_changes import TaskChanges
from signalbox.webapp.live.waits import Wait, Waits
from signalbox.webapp.settings import Settings

FAREWELL_SPREAD_MS = (200, 3000)
"""Range of the random time that a client waits after a shutdown, so that not all clients reconnect at once."""

STAGGER_ABOVE_STREAMS = 100
"""With more open streams than this, the event limit of each new stream is reduced by a random part, at most a half, so
that streams that began together do not end together."""


UNWATCHED_REST = 0.025
"""Most seconds that the tail rests after a read while no stream is open. A stream that opens reads the store itself."""


class Hub:
    """The open streams of a process. `lanes` has one lane for each group of streams that share their bytes.

    `session_event` encodes the events of session streams. These are counted for each session, over all processes.
    """

    def __init__(
        self,
        store: Store,
        settings: Settings,
        stats: Stats,
        loops: Loops | None = None,
        session_event: Encode | None = None,
    ) -> None:
        loops = loops or Loops()
        self._settings = settings
        self._stats = stats
        self.callers = Callers()
        self._permission_counts = PermissionCounts(
            store, self.callers.project_sets, self._greet_pages, loops.loop("permission_counts")
        )
        self.tail_pause = TailPause()
        self._waits = Waits()
        self.lanes = Lanes(store, settings, stats, Pages(self._permission_counts.facts), self.tail_pause)
        self._session_event = session_event
        self.other_processes = OtherProcesses(store, self._own_counts, loops.loop("other_processes"))
        self._loop = asyncio.get_running_loop()
        self._sweeper = Sweeper(self.lanes, settings, stats, loops.loop("sweeper"))
        self._task_changes = TaskChanges(
            store, self.lanes.channels, loops.loop("task_changes"), lambda: self.on_erasure()
        )
        self.on_erasure: Callable[[], None] = lambda: None
        self.closing = False
        self.open_streams = 0
        self._empty = asyncio.Event()
        self._empty.set()

    def deliver(self, events: Sequence[Event]) -> None:
        """Pass on new events, in commit order. The tail calls this after every read, even without events."""
        self._stats.events_in += len(events)
        self._task_changes.on_commit()
        self.lanes.push(events)
        self._waits.deliver(events)
        self._permission_counts.on_commit(events)
        self.other_processes.on_commit(events)

    def stream_encoding(self, accept_encoding: str) -> StreamEncoding:
        """Return the compression of a stream for a client that sends this `Accept-Encoding`."""
        return choose(accept_encoding) if self._settings.stream_compression else Plain()

    def max_rest(self) -> float:
        """Return how many seconds the tail may rest after a read."""
        return MAX_REST if self.open_streams else UNWATCHED_REST

    def admit(self, ticket: Ticket) -> ReservedPlace:
        """Return a place for one more stream. Release it just before the stream begins, or if it never does.

        Raises TooManyStreams. No open stream is ended to admit another. The limit of a caller counts the streams of all
        processes, the limit of the server those of this process.
        """
        if self.closing:
            raise TooManyStreams(closing=True)
        limit = self._settings.max_streams_per_caller
        full = self.open_streams >= self._settings.max_streams
        if full or self._streams_of(ticket) >= limit:
            self._stats.streams_refused += 1
            raise TooManyStreams(None if full else limit)
        return self.callers.reserve(ticket)

    async def run(
        self,
        lane: Lane,
        cursor: int,
        send: Send,
        opening: bytes,
        stream_encoding: StreamEncoding,
        ticket: Ticket,
        *,
        shown: str = "",
    ) -> bytes:
        """Serve a stream until it ends. Return the final bytes, which the caller must write.

        `shown` is as in `Subscriber`.
        """
        life, limit = self._limits() if lane.control_messages.limited else (math.inf, sys.maxsize)
        subscriber = Subscriber(
            lane,
            cursor,
            send,
            stream_encoding,
            ticket,
            max_events=limit,
            deadline=self._loop.time() + life,
            shown=shown,
        )
        if self.closing:
            return subscriber.control_messages.farewell(cursor, "shutdown", _wait_after_shutdown())
        subscriber.send_control(opening + subscriber.control_messages.greeting(cursor))
        self.callers.add_stream(subscriber)
        self._permission_counts.join(ticket.visible_projects)
        self.other_processes.changed()
        try:
            return await subscriber.run()
        finally:
            self.callers.leave(subscriber)
            if not lane.subscribers:
                self.lanes.drop_idle()

    @contextlib.contextmanager
    def waiting(self, ticket: Ticket, tasks: Sequence[str]) -> Iterator[Wait]:
        """Let a request wait for new events of `tasks`. It counts as a stream. Raises TooManyStreams."""
        self.admit(ticket).release()
        self.opened()
        try:
            with self._waits.waiting(ticket.principal.key, tasks) as wait:
                yield wait
        finally:
            self.closed()

    def suspend(self) -> None:
        """End all streams because the store does not answer, so that no page appears to be up to date."""
        self._waits.wake_all()
        for lane in list(self.lanes):
            for subscriber in list(lane.subscribers):
                subscriber.disconnect("store", 1000)

    def reset(self) -> None:
        """End all streams with `reset` because the store has another history."""
        self.lanes.reset()
        self._waits.wake_all()
        self.other_processes.forget()

    def opened(self) -> None:
        """Record that a stream has opened."""
        self.open_streams += 1
        self._stats.streams_opened += 1
        self._empty.clear()

    def closed(self) -> None:
        """Record that a stream has ended."""
        self.open_streams -= 1
        self.other_processes.changed()
        if not self.open_streams:
            self._empty.set()

    async def close(self, timeout: float = 1.8) -> None:
        """End every stream with a farewell, and wait up to `timeout` seconds until all have ended.

        The second call does nothing: a server may close the hub before its connections, and the app after them.
        """
        if self.closing:
            return
        self.closing = True
        self._waits.close()
        self._sweeper.close()
        self._task_changes.close()
        self._permission_counts.close()
        for lane in list(self.lanes):
            lane.close()
            for subscriber in list(lane.subscribers):
                subscriber.disconnect("shutdown", _wait_after_shutdown())
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._empty.wait(), timeout)

    @property
    def streams_everywhere(self) -> int:
        """The number of open streams of all processes on this store."""
        return self.open_streams + self.other_processes.count(STREAMS)

    @property
    def watched_tasks(self) -> int:
        """The number of tasks with open streams."""
        return len(self.lanes.channels)

    def _streams_of(self, ticket: Ticket) -> int:
        """Return how many streams a caller has open in all processes; 0 for the local user, who has no limit."""
        key = ticket.principal.key
        if key is None:
            return 0
        return self.callers.count(ticket) + self._waits.count(key) + self.other_processes.count((CALLER, key))

    def _own_counts(self) -> Mapping[CountKey, int]:
        """Return the counts that this process shares with the others."""
        counts: dict[CountKey, int] = {STREAMS: self.open_streams}
        counts |= {(CALLER, key): count for key, count in self.callers.counts()}
        if self._session_event is not None:
            sessions = self.lanes.readers_by_task(self._session_event)
            counts |= {(SESSION, session_id): count for session_id, count in sessions.items()}
        return counts

    def _limits(self) -> tuple[float, int]:
        """Return the maximum life of a new stream in seconds, and its maximum number of events."""
        limit = self._settings.max_events_per_stream
        if self.open_streams > STAGGER_ABOVE_STREAMS:
            limit = random.randint(limit // 2 + 1, limit)
        return self._settings.max_stream_life * random.uniform(0.8, 1.0), limit

    def _greet_pages(self, project_sets: Collection[ProjectIds]) -> None:
        for lane in list(self.lanes):
            if isinstance(lane, FrameLane):
                lane.send_greetings(project_sets)


def _wait_after_shutdown() -> int:
    return random.randint(*FAREWELL_SPREAD_MS)

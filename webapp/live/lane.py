"""A lane: subscribers that get the same bytes at the same pace."""

from __future__ import annotations

import asyncio
import time
from abc import ABC, abstractmethod
from collections.abc import Callable

import structlog

from signalbox.store.state import Flags
from signalbox.webapp.live.control_messages import ControlMessages
from signalbox.webapp.live.pace import Pace
from signalbox.webapp.live.ring import Ring
from signalbox.webapp.live.stats import Stats
from signalbox.webapp.live.subscriber import Subscriber

logger = structlog.get_logger("signalbox.live")

RETRY_SECONDS = 1.0
"""Seconds before a read is tried again after the store did not answer."""

DAMAGED_RETRY_MS = 30_000
"""Milliseconds after which a client may reconnect to a stream whose next event is damaged."""


class Lane(ABC):
    """Subscribers, and the time of their next flush. `clock` measures the cost of a flush in seconds.

    `subscribers` has all subscribers, `live` those that have all events and wait for the next flush.

    `on_flushed` is called with the lane after each flush. `shown_flags` collects the `Chunk.flags` of each frame that
    is delivered.
    """

    clock = staticmethod(time.perf_counter)

    def __init__(self, ring: Ring, pace: Pace, stats: Stats, control_messages: ControlMessages) -> None:
        self.ring = ring
        self.stats = stats
        self.control_messages = control_messages
        self.tick = 0
        self.live: set[Subscriber] = set()
        self.subscribers: set[Subscriber] = set()
        self.shown_flags: set[Flags] = set()
        self.on_flushed: Callable[[Lane], object] = lambda lane: None
        self._pace = pace
        self._timer: asyncio.Handle | None = None
        self._flushing = False
        self._flushed_to = ring.head

    def leave(self, subscriber: Subscriber) -> None:
        """Stop serving a subscriber."""
        self.subscribers.discard(subscriber)
        self.live.discard(subscriber)

    def wake(self) -> None:
        """Schedule a flush as soon as the pace allows, because there are new events."""
        if self._flushing or not self.live:
            return
        self._set_timer(self._pace.delay(self.ring.head - self._flushed_to))

    def pause(self) -> float:
        """Return the seconds until the next flush may run; 0 if it may run now or if no subscriber is live."""
        return self._pace.pause() if self.live and not self._flushing else 0.0

    def close(self) -> None:
        """Cancel the next flush."""
        if self._timer:
            self._timer.cancel()

    def _set_timer(self, delay: float) -> None:
        if self._timer:
            self._timer.cancel()
        loop = asyncio.get_running_loop()
        # A timer that is due at once costs three times as much as a call.
        self._timer = loop.call_later(delay, self._begin) if delay > 0 else loop.call_soon(self._begin)

    def _begin(self) -> None:
        self._timer = None
        self._flushing = True
        self.stats.flush_events.observe(self.ring.head - self._flushed_to)
        self._flushed_to = self.ring.head
        self.guarded(self._flush, self.clock())

    def guarded(self, step: Callable[..., object], *given: object) -> None:
        """Run one step of a flush. If it raises, end all streams: it is unknown which of them got the events."""
        try:
            step(*given)
        except Exception as error:
            logger.error("a flush failed", exc_info=error)
            self.stats.flushes_failed += 1
            self._flushing = False
            for subscriber in list(self.subscribers):
                subscriber.disconnect("error", 1000)

    def _flushed(self, started: float, *, again: bool = False) -> None:
        cost = self.clock() - started
        self._pace.flushed(cost)
        self.stats.flush_seconds.observe(cost)
        self._flushing = False
        self.on_flushed(self)
        if again or self.ring.head > self._flushed_to:
            self.wake()

    def position(self, subscriber: Subscriber) -> int:
        """Return the cursor of a subscriber."""
        return subscriber.cursor

    def idle_ticks(self, subscriber: Subscriber) -> int:
        """Return how many ticks ago the last write to a subscriber was."""
        return self.tick - subscriber.last_write

    @abstractmethod
    def recheck(self) -> None:
        """Serve all streams again whose content may have changed without a new position."""

    @abstractmethod
    def join(self, subscriber: Subscriber) -> None:
        """Serve a subscriber from its cursor on. It calls this again when it can be written to after a stall."""

    @abstractmethod
    def _flush(self, started: float) -> None:
        """Serve the live subscribers, then call `_flushed`."""

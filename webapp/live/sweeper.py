"""Visits all streams once per tick: sends heartbeats, and ends streams that are too old or whose reader is stalled."""

from __future__ import annotations

import asyncio
import time

import structlog

from signalbox.store.loops import Loop, shared_pause
from signalbox.store.task_query import MINUTE
from signalbox.webapp.live.lane import Lane
from signalbox.webapp.live.lanes import Lanes
from signalbox.webapp.live.stats import Stats
from signalbox.webapp.live.subscriber import Subscriber
from signalbox.webapp.settings import Settings

STREAMS_AT_ONCE = 100
"""How many streams a sweep visits before it yields to the event loop."""

logger = structlog.get_logger("signalbox.live")


class Sweeper:
    """Sweeps `lanes` in the background. Boards are rendered again once a minute, because they show relative ages."""

    def __init__(self, lanes: Lanes, settings: Settings, stats: Stats, loop: Loop) -> None:
        self._lanes = lanes
        self._settings = settings
        self._stats = stats
        self._minute = 0.0
        self._clock = asyncio.get_running_loop().time
        self._task = asyncio.create_task(loop.run(self._sweep), name="signalbox-sweeper")

    def close(self) -> None:
        """Stop sweeping."""
        self._task.cancel()

    async def _sweep(self) -> None:
        interval = self._settings.keepalive_interval
        tick = min(1.0, interval / 5)
        heartbeat_ticks = int(interval / tick)
        await asyncio.sleep(shared_pause(tick))
        if (now := time.time() // MINUTE) != self._minute:
            self._minute = now
            self._lanes.recheck_boards()
        visited = 0
        for lane in list(self._lanes):
            lane.tick += 1
            for subscriber in list(lane.subscribers):
                visited += 1
                try:
                    self._tend(subscriber, lane, self._clock(), heartbeat_ticks)
                except Exception as error:
                    # An error in one stream must not stop the heartbeats of others.
                    logger.error("a heartbeat or a limit of a stream failed", exc_info=error)
                    subscriber.abort()
            if visited >= STREAMS_AT_ONCE:
                visited = 0
                await asyncio.sleep(0)

    def _tend(self, subscriber: Subscriber, lane: Lane, now: float, heartbeat_ticks: int) -> None:
        stalled_since = subscriber.sink.stalled_since
        if stalled_since is not None:
            if now - stalled_since > self._settings.send_timeout:
                self._stats.stalls_ended += 1
                subscriber.abort()
        elif now > subscriber.deadline:
            subscriber.disconnect("max_stream_life", 100)
        elif lane.idle_ticks(subscriber) >= heartbeat_ticks:
            subscriber.send_control(subscriber.control_messages.heartbeat(lane.position(subscriber)))

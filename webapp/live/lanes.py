"""The lanes of a hub: those of watched tasks, in the channel of each task, and those of pages with many tasks."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence
from itertools import groupby
from operator import attrgetter

from signalbox.store import Event, Store
from signalbox.webapp.live.catch_up_cache import CatchUpCache
from signalbox.webapp.live.channel import Channel
from signalbox.webapp.live.control_messages import JSON, ControlMessages
from signalbox.webapp.live.event_lane import EventLane
from signalbox.webapp.live.forecasts import Forecasts
from signalbox.webapp.live.frame_lane import FrameLane
from signalbox.webapp.live.lane import Lane
from signalbox.webapp.live.pace import Pace
from signalbox.webapp.live.renderer import Renderer, StateRenderer
from signalbox.webapp.live.ring import Encode, Ring
from signalbox.webapp.live.stats import Stats
from signalbox.webapp.live.tail_pause import TailPause
from signalbox.webapp.live.watched_task import WatchedTask
from signalbox.webapp.settings import Settings


class Lanes:
    """Finds the lane for a stream, and creates it for the first stream. Iteration yields all lanes.

    Frame lanes use `page_messages` unless the caller passes other control messages.
    """

    def __init__(
        self, store: Store, settings: Settings, stats: Stats, page_messages: ControlMessages, tail_pause: TailPause
    ) -> None:
        self._store = store
        self._epoch = store.epoch
        self._settings = settings
        self._stats = stats
        self._page_messages = page_messages
        self._tail_pause = tail_pause
        self._catch_up_cache = CatchUpCache()
        self._boards: dict[object, FrameLane] = {}
        self.forecasts = Forecasts(store)
        self.channels: dict[str, Channel] = {}

    def __iter__(self) -> Iterator[Lane]:
        for channel in self.channels.values():
            yield from channel.lanes.values()
        yield from self._boards.values()

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
        """Return the lane of a task's events encoded by `encode`. `identity` distinguishes tasks with the same id."""
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
            lane.on_flushed = self._tail_pause.add_flushed_lane
            channel.lanes[key] = lane
        return channel.lanes[key]

    def frame_lane(
        self,
        task_id: str,
        renderer: Renderer | StateRenderer,
        key: object = "frames",
        pace: Pace | None = None,
        control_messages: ControlMessages | None = None,
        *,
        identity: str = "",
    ) -> Lane:
        """Return the lane of a task's streams with the same `key`. All use the first caller's `renderer` and `pace`."""
        channel = self._channel(task_id, identity)
        channel.standing = None
        control_messages = control_messages or self._page_messages
        lane_key = (key, control_messages)
        if lane_key not in channel.lanes:
            channel.lanes[lane_key] = self._new_frame_lane(channel.ring, renderer, pace, control_messages)
        return channel.lanes[lane_key]

    def watched_task(self, task_id: str, identity: str) -> WatchedTask:
        """Return the watched task of a channel, for the renderer of one of its frame lanes."""
        return self._channel(task_id, identity).task

    def board_lane(
        self,
        key: object,
        renderer: Renderer | StateRenderer,
        pace: Pace | None = None,
        control_messages: ControlMessages | None = None,
    ) -> Lane:
        """Return the lane of streams with the same `key` that show many tasks. Their positions are event ids."""
        self._check_epoch()
        control_messages = control_messages or self._page_messages
        lane_key = (key, control_messages)
        if lane_key not in self._boards:
            self._boards[lane_key] = self._new_frame_lane(Ring(0), renderer, pace, control_messages)
        return self._boards[lane_key]

    def push(self, events: Sequence[Event]) -> None:
        """Pass new events, in commit order, to the channels of their tasks, and render every board again."""
        self.forecasts.on_commit(events)
        watched = [event for event in events if event.task_id in self.channels]
        if len(watched) > 1:
            watched.sort(key=attrgetter("task_id"))
        for task_id, group in groupby(watched, key=attrgetter("task_id")):
            new, channel = list(group), self.channels[task_id]
            if channel.identity and new[0].identity not in ("", channel.identity):
                # The task was deleted, and another one has its id.
                self.channels.pop(task_id).end()
            else:
                channel.push(new)
        self.recheck_boards()

    def recheck_boards(self) -> None:
        """Render every board again, for instance because time has passed."""
        for board in self._boards.values():
            board.recheck()

    def reset(self) -> None:
        """End all streams and drop the state of the old history, because the store has another one."""
        self._epoch = self._store.epoch
        self.forecasts = Forecasts(self._store)
        for lane in list(self):
            lane.close()
            for subscriber in list(lane.subscribers):
                subscriber.finish(subscriber.control_messages.replaced(lane.position(subscriber)))
        self.channels.clear()
        self._boards.clear()

    def drop_idle(self) -> None:
        """Forget lanes and channels without subscribers."""
        for task_id, channel in list(self.channels.items()):
            _drop_idle(channel.lanes)
            if not any(isinstance(lane, FrameLane) for lane in channel.lanes.values()):
                channel.task.forget()
            if not channel.lanes:
                del self.channels[task_id]
        _drop_idle(self._boards)

    def readers(self, task_id: str, encode: Encode) -> int:
        """Return how many streams read a task's events encoded by `encode`."""
        channel = self.channels.get(task_id)
        return channel.readers(encode) if channel else 0

    def readers_by_task(self, encode: Encode) -> dict[str, int]:
        """Return the number of such streams for each watched task; 0 for a task with streams of other kinds only."""
        return {task_id: channel.readers(encode) for task_id, channel in self.channels.items()}

    def lag_p99(self) -> float:
        """Return the 99th percentile of how many events streams are behind; 0 without streams."""
        lags = [max(0, lane.ring.head - lane.position(subscriber)) for lane in self for subscriber in lane.subscribers]
        return float(sum(lags)) if len(lags) < 2 else statistics.quantiles(lags, n=100, method="inclusive")[98]

    def _channel(self, task_id: str, identity: str = "") -> Channel:
        known = self.channels.get(task_id)
        if known and identity and known.identity not in ("", identity):
            self.channels.pop(task_id).end()
        self._check_epoch()
        if task_id not in self.channels:
            self.channels[task_id] = Channel(self._store, task_id, self._settings.ring_events, identity)
        return self.channels[task_id]

    def _check_epoch(self) -> None:
        if self._store.epoch != self._epoch:
            # The stream opens on the new history before the tail has noticed the change.
            self.reset()

    def _new_frame_lane(
        self, ring: Ring, renderer: Renderer | StateRenderer, pace: Pace | None, control_messages: ControlMessages
    ) -> FrameLane:
        pace = pace or Pace(self._settings.flush_interval, self._settings.batch_size)
        lane = FrameLane(ring, pace, self._stats, renderer, control_messages)
        lane.on_flushed = self._tail_pause.add_flushed_lane
        return lane


def _drop_idle(lanes: dict[object, Lane] | dict[object, FrameLane]) -> None:
    for key, lane in list(lanes.items()):
        if not lane.subscribers:
            lane.close()
            del lanes[key]

"""A channel: the ring, the replica and the lanes of one watched task."""

from __future__ import annotations

from collections.abc import Sequence

from signalbox.store import Event, Store
from signalbox.store.state import Flags
from signalbox.webapp.live.event_lane import EventLane
from signalbox.webapp.live.lane import Lane
from signalbox.webapp.live.ring import Encode, Ring
from signalbox.webapp.live.watched_task import WatchedTask


class Channel:
    """The ring and the lanes of one task. `task` has the replica of its state.

    `identity` is that of the task: a later task with the same id has another channel. `standing` is the state outside
    the log (archived, stale, unfinished output) that all pages show; None if a new page may show another state.
    `erased_at` is the time of the last erasure that its readers have seen.
    """

    def __init__(self, store: Store, task_id: str, ring_size: int, identity: str) -> None:
        self.identity = identity
        self.ring = Ring(ring_size)
        self.task = WatchedTask(store, task_id, self.ring)
        self.standing: tuple[Flags, str] | None = None
        self.erased_at = ""
        self.lanes: dict[object, Lane] = {}

    def push(self, events: Sequence[Event]) -> None:
        """Add new events of the task, and wake the lanes."""
        self.ring.push(events)
        self.task.follow(events)
        for lane in self.lanes.values():
            lane.wake()

    def recheck(self) -> None:
        """Render all pages again, because something may have changed without an event."""
        for lane in self.lanes.values():
            lane.recheck()

    def take_shown_flags(self) -> set[Flags]:
        """Return the flags (`Task.flags`) that frames have shown since the last call."""
        shown: set[Flags] = set()
        for lane in self.lanes.values():
            if lane.shown_flags:
                shown |= lane.shown_flags
                lane.shown_flags.clear()
        return shown

    def readers(self, encode: Encode) -> int:
        """Return how many streams read events encoded by `encode`."""
        lanes = self.lanes.values()
        return sum(len(lane.subscribers) for lane in lanes if isinstance(lane, EventLane) and lane.encode is encode)

    def position(self) -> int:
        """Return the newest seq that the ring has, or any subscriber while the ring is empty."""
        if self.ring.head:
            return self.ring.head
        cursors = [lane.position(subscriber) for lane in self.lanes.values() for subscriber in lane.subscribers]
        return max(cursors, default=0)

    def end(self) -> None:
        """End all streams, because the task was deleted or some of its events were erased."""
        for lane in self.lanes.values():
            lane.close()
            for subscriber in list(lane.subscribers):
                subscriber.finish(subscriber.control_messages.gone(lane.position(subscriber)))

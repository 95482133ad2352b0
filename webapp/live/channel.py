"""A channel: what the hub keeps of one watched task."""

from __future__ import annotations

from collections.abc import Sequence

from signalbox.store import Event
from signalbox.webapp.live.event_lane import EventLane
from signalbox.webapp.live.frame_lane import FrameLane
from signalbox.webapp.live.lane import Lane
from signalbox.webapp.live.ring import Encode, Ring


class Channel:
    """One task's ring and the lanes of those who watch it.

    `identity` is the task's: another task that has its id later has another channel. `standing` is how the task was
    last seen to stand beside its log, while nobody has joined since: None is not known.
    """

    def __init__(self, ring_size: int, identity: str) -> None:
        self.identity = identity
        self.ring = Ring(ring_size)
        self.standing: tuple[bool, bool, str] | None = None
        self.lanes: dict[object, Lane] = {}

    def push(self, events: Sequence[Event]) -> None:
        """Take new events of the task from the tail."""
        self.ring.push(events)
        for lane in self.lanes.values():
            lane.wake()

    def recheck(self) -> None:
        """Something may have changed that no seq tells: pages are drawn again."""
        for lane in self.lanes.values():
            if isinstance(lane, FrameLane):
                lane.recheck()

    def take_shown(self) -> set[tuple[bool, bool]]:
        """How frames have shown the task since the last call: as archived, as stale."""
        shown: set[tuple[bool, bool]] = set()
        for lane in self.lanes.values():
            if isinstance(lane, FrameLane):
                shown |= lane.shown_flags
                lane.shown_flags.clear()
        return shown

    def readers(self, encode: Encode) -> int:
        """Streams that read events as `encode` writes them."""
        lanes = self.lanes.values()
        return sum(len(lane.everyone) for lane in lanes if isinstance(lane, EventLane) and lane.encode is encode)

    def position(self) -> int:
        """The newest seq that anybody here has."""
        stands = [lane.position(subscriber) for lane in self.lanes.values() for subscriber in lane.everyone]
        return max([self.ring.head, *stands])

    def end(self) -> None:
        """End all streams: the task is not there any more."""
        for lane in self.lanes.values():
            lane.close()
            for subscriber in list(lane.everyone):
                subscriber.finish(subscriber.control_messages.gone(lane.position(subscriber)))

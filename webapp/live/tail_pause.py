"""Pauses the tail while all recently flushed lanes wait for their next flush, as no event could be sent before it."""

from __future__ import annotations

from signalbox.webapp.live.lane import Lane

MAX_PAUSE_S = 0.025
"""Maximum pause in seconds, so short that subscribers of other tasks do not notice it."""

LEAD_S = 0.003
"""The pause ends this many seconds before a flush, so that the flush includes the newest events."""


class TailPause:
    """The lanes that were flushed and wait for their next flush; their waits determine the pause."""

    def __init__(self) -> None:
        self._lanes: set[Lane] = set()

    def add_flushed_lane(self, lane: Lane) -> None:
        """Record that a lane has just been flushed."""
        self._lanes.add(lane)

    def seconds(self) -> float:
        """Return how long the tail may pause; 0 if no lane waits for a flush."""
        pauses = {lane: pause for lane in self._lanes if (pause := lane.pause())}
        self._lanes = set(pauses)
        return max(0.0, min(MAX_PAUSE_S, min(pauses.values()) - LEAD_S)) if pauses else 0.0

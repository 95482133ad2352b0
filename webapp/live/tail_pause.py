"""The tail pauses while every lane that was just flushed waits for its next flush: no news could be sent anyway."""

from __future__ import annotations

from signalbox.webapp.live.lane import Lane

MAX_PAUSE_S = 0.025
"""The longest pause in seconds: a subscriber of another task must not notice it."""

LEAD_S = 0.003
"""The pause ends so many seconds before a flush, so that the flush includes the newest events."""


class TailPause:
    """The lanes that were flushed and wait for their next flush."""

    def __init__(self) -> None:
        self._lanes: set[Lane] = set()

    def begin(self, lane: Lane) -> None:
        """Note that a lane has just been flushed."""
        self._lanes.add(lane)

    def seconds(self) -> float:
        """How long the tail may pause; 0 when no lane waits for a flush."""
        pauses = {lane: pause for lane in self._lanes if (pause := lane.pause())}
        self._lanes = set(pauses)
        return max(0.0, min(MAX_PAUSE_S, min(pauses.values()) - LEAD_S)) if pauses else 0.0

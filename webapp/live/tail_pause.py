"""The rests: while all who were just written to must wait for their next flush, nobody need look for what is new."""

from __future__ import annotations

from signalbox.webapp.live.lane import Lane

LONGEST = 0.025
"""Seconds of one rest, at most: somebody else, who waits for another task, must not feel it."""

LAST_LOOK = 0.003
"""Seconds before a flush in which nobody rests, so that it takes along what came last."""


class Rests:
    """The lanes that are resting from a flush."""

    def __init__(self) -> None:
        self._lanes: set[Lane] = set()

    def begin(self, lane: Lane) -> None:
        """A lane has just been flushed."""
        self._lanes.add(lane)

    def seconds(self) -> float:
        """How long the tail may rest; 0 when nobody rests."""
        rests = {lane: rest for lane in self._lanes if (rest := lane.rest())}
        self._lanes = set(rests)
        return max(0.0, min(LONGEST, min(rests.values()) - LAST_LOOK)) if rests else 0.0

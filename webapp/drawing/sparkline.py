"""The activity of a run as a small drawing."""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt

HEIGHT = 12
"""A bar's greatest height; each is 1 wide, of which a fifth is the gap."""


def bars(counts: Sequence[int]) -> str:
    """An SVG path with a bar for each count. Heights go with the square root: a burst leaves the rest to be seen."""
    most = max(counts, default=0)
    drawn = []
    for at, count in enumerate(counts):
        if count > 0:
            height = max(1, round(HEIGHT * sqrt(count / most)))
            drawn.append(f"M{at} {HEIGHT}v-{height}h.8v{height}z")
    return "".join(drawn)

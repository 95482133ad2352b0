"""The activity of a run as a small drawing."""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt

HEIGHT = 12
"""The height of the highest bar. Each bar is 0.8 wide, with a gap of 0.2."""


def line_points(values: Sequence[int], top: float) -> str:
    """Return the points of an SVG polyline, one unit per value and HEIGHT high, where `top` is the highest value."""
    values = [*values, *values] if len(values) == 1 else values
    heights = (HEIGHT * value / top if top else 0 for value in values)
    return " ".join(f"{at},{round(HEIGHT - height, 2)}" for at, height in enumerate(heights))


def bars(counts: Sequence[int]) -> str:
    """Return an SVG path with a bar per count. Heights are square roots, so that a burst does not hide other bars."""
    most = max(counts, default=0)
    drawn = []
    for at, count in enumerate(counts):
        if count > 0:
            height = max(1, round(HEIGHT * sqrt(count / most)))
            drawn.append(f"M{at} {HEIGHT}v-{height}h.8v{height}z")
    return "".join(drawn)

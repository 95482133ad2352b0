"""The scenarios of the bench, one subject per module. A scenario takes a Scale and yields rows of the table."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Scale:
    """How much is measured.

    `seconds` per load, `repeats` of each store figure, events of a long `history`, events that are `searched`, number
    of network `cuts` and the length of one (`cut`, seconds), `loads` of each page in a browser, `rounds` with and
    without stalled readers, and the `precision` of the search for the highest rate. `baselines`: also measure plain
    SQLite and the bare server.
    """

    seconds: float = 6.0
    repeats: int = 5
    history: int = 1_000_000
    searched: int = 100_000
    cuts: int = 8
    cut: float = 10.0
    loads: int = 9
    rounds: int = 3
    precision: float = 0.08
    baselines: bool = True


SCALES = {
    "full": Scale(),
    "large": Scale(searched=5_000_000),
    "quick": Scale(seconds=2.0, repeats=3, history=100_000, searched=50_000, cuts=4, cut=4.0),
    "brief": Scale(
        seconds=1.5,
        repeats=3,
        history=50_000,
        searched=25_000,
        cuts=2,
        cut=3.0,
        loads=3,
        rounds=1,
        precision=0.25,
        baselines=False,
    ),
}
"""Scales by name. `large` measures the search over 5,000,000 events, which takes an hour longer.

`brief` is for comparisons of two versions, which repeat it and need no baselines.
"""

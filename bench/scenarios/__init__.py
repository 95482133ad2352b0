"""What the bench measures, one noun a module. A scenario takes a Scale and gives rows of the table."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Scale:
    """How much is measured: `seconds` per load, `repeats` of each store figure, the size of a long history, how many
    `cuts` of the network and how long one is.
    """

    seconds: float = 6.0
    repeats: int = 5
    history: int = 1_000_000
    cuts: int = 8
    cut: float = 10.0


QUICK = Scale(seconds=2.0, repeats=3, history=100_000, cuts=4, cut=4.0)

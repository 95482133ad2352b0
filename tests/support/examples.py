"""How many examples a property test tries: few in `make test`, ten times as many in `make soak`."""

from __future__ import annotations

import os

TIMES = "SIGNALBOX_TEST_EXAMPLES"
"""A variable with the factor by which all numbers of examples are multiplied."""


def examples(number: int) -> int:
    """Return how many examples to try where `make test` tries `number`."""
    return number * int(os.environ.get(TIMES, "1"))

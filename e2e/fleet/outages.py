"""Kill random parts of a fleet, and start them again."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from tests.support.fleet import Fleet

TWO_AT_ONCE = 0.25
"""Probability that another part is killed at the same time."""
MAX_ABSENCE_S = 2.0


@dataclass(frozen=True)
class Part:
    """A part of the fleet, how often it is chosen, and the ways to end it."""

    name: str
    weight: int
    start: Callable[[], object]
    endings: dict[str, Callable[[], object]]


class Outages:
    """Ends parts of a fleet at random. `counts` holds how often each part was ended in each way."""

    def __init__(self, fleet: Fleet, seed: int) -> None:
        self._rng = random.Random(seed)
        # The services come first: a web process starts only if the database is there.
        self._parts = [
            Part("PostgreSQL", 1, fleet.postgres.start, {"killed": fleet.postgres.kill}),
            Part("Redis", 2, fleet.redis.start, {"killed": fleet.redis.kill}),
        ]
        for server in fleet.servers:
            endings = {"killed": server.kill, "stopped": server.stop}
            self._parts.append(Part("web process", 3, server.start, endings))
        self.counts: Counter[str] = Counter()

    @property
    def total(self) -> int:
        """Return how many parts were ended so far."""
        return self.counts.total()

    def inject(self) -> None:
        """End one or two parts, leave them away for up to two seconds, and start them again."""
        victims = self._choose()
        for part in victims:
            how = self._rng.choice(list(part.endings))
            part.endings[how]()
            self.counts[f"{part.name} {how}"] += 1
        time.sleep(self._rng.uniform(0.05, MAX_ABSENCE_S))
        for part in sorted(victims, key=self._parts.index):
            part.start()

    def _choose(self) -> list[Part]:
        weights = [part.weight for part in self._parts]
        first = self._rng.choices(self._parts, weights)[0]
        if self._rng.random() > TWO_AT_ONCE:
            return [first]
        others = [part for part in self._parts if part is not first]
        return [first, self._rng.choice(others)]

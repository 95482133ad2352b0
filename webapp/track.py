"""The track diagram: a run's phases as stations on one line."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

from store.state import Phase, Task

KNOWN_ORDER = ("planning", "executing", "verifying")
SIDING = "recovery"


class Station(NamedTuple):
    """One station. `way` is how far, 0 to 1, the run has got from here to the next one, `rail` whether it has passed."""

    name: str
    state: Literal["done", "current", "open", "failed", "upcoming"]
    phase: Phase | None
    way: float
    siding: bool
    signal: bool
    rail: Literal["done", "ahead"]

    @property
    def finished(self) -> int:
        """Work items that are done or failed."""
        return self.phase.items_done + self.phase.items_failed if self.phase else 0


def stations(task: Task, phases: Sequence[Phase]) -> list[Station]:
    """The phases that the log names, in its order, then those of the known order that are still to come."""
    line: list[Station] = []
    for phase in phases:
        before = next((station for station in reversed(line) if not station.siding), None)
        line.append(_station(task, phase, before))
    reached = {phase.phase for phase in phases}
    if not task.ended and reached.intersection(KNOWN_ORDER):
        furthest = max(KNOWN_ORDER.index(name) for name in reached.intersection(KNOWN_ORDER))
        ahead = KNOWN_ORDER[furthest + 1 :]
        line += [Station(name, "upcoming", None, 0.0, False, False, "ahead") for name in ahead]
    return line


def _station(task: Task, phase: Phase, before: Station | None) -> Station:
    current = phase.state == "open" and phase.phase == task.phase
    if phase.state == "open":
        state: Literal["done", "current", "open", "failed", "upcoming"] = "current" if current else "open"
    else:
        state = phase.state
    way = 0.0 if phase.state == "failed" else 1.0
    if phase.state == "open":
        way = (phase.items_done + phase.items_failed) / phase.items_total if phase.items_total else 0.5
    siding = phase.phase == SIDING
    # The through track beside a siding is as far as the station before it.
    travelled = before.rail == "done" if siding and before else state in ("done", "failed")
    signal = current and task.permissions_open > 0
    return Station(phase.phase, state, phase, way, siding, signal, "done" if travelled else "ahead")

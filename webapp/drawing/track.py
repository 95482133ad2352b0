"""The track diagram: a run's phases as stations on one line."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

from signalbox.store.state import Phase, Task

KNOWN_ORDER = ("planning", "executing", "verifying")
SIDING = "recovery"
WHOLE_RUN = "run"


State = Literal["done", "current", "open", "failed", "cancelled", "interrupted", "upcoming"]


class Station(NamedTuple):
    """One station. `progress` from here to the next is 0 to 1; `rail` is "done" once the run has left the station."""

    name: str
    state: State
    phase: Phase | None
    progress: float
    siding: bool
    signal: bool
    rail: Literal["done", "upcoming"]


def stations(task: Task, phases: Sequence[Phase], earlier: Sequence[Sequence[Phase]] = ()) -> list[Station]:
    """Return a station for each phase that the log names, in its order, then for the phases that usually follow.

    These are the phases of KNOWN_ORDER that at least one of the `earlier` runs of the kind had. A run that names no
    phase is a single station.
    """
    line: list[Station] = []
    for phase in phases or _whole_run(task):
        before = next((station for station in reversed(line) if not station.siding), None)
        line.append(_station(task, phase, before))
    reached = {phase.phase for phase in phases}
    if not task.ended and reached.intersection(KNOWN_ORDER):
        furthest = max(KNOWN_ORDER.index(name) for name in reached.intersection(KNOWN_ORDER))
        usual = {phase.phase for run in earlier for phase in run}
        upcoming = [name for name in KNOWN_ORDER[furthest + 1 :] if name in usual]
        line += [Station(name, "upcoming", None, 0.0, False, False, "upcoming") for name in upcoming]
    return line


def _whole_run(task: Task) -> list[Phase]:
    if task.started_at is None:
        return []
    state: Literal["open", "done", "failed"] = "open"
    if task.ended:
        state = "done" if task.status == "done" else "failed"
    return [
        Phase(
            phase=task.phase or WHOLE_RUN,
            first_seq=1,
            state=state,
            entered_at=task.started_at,
            exited_at=task.ended_at,
            items_total=task.items_total,
            items_done=task.items_done,
            items_failed=task.items_failed,
            changed_seq=task.header_seq,
        )
    ]


def _station(task: Task, phase: Phase, before: Station | None) -> Station:
    current = phase.state == "open" and phase.phase == (task.phase or WHOLE_RUN)
    state: State = "current" if current else phase.state
    if (
        state == "failed"
        and (phase.exited_at or "") >= (task.ended_at or "")
        and task.status in ("cancelled", "interrupted")
    ):
        state = task.status
    progress = 0.0 if phase.state == "failed" else 1.0
    if phase.state == "open":
        progress = (phase.items_done + phase.items_failed) / phase.items_total if phase.items_total else 0.5
    siding = phase.phase == SIDING
    # A siding does not change the state of the main track.
    travelled = before.rail == "done" if siding and before else phase.state != "open"
    signal = current and task.permissions_open > 0
    return Station(phase.phase, state, phase, progress, siding, signal, "done" if travelled else "upcoming")

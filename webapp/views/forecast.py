"""A forecast of a run's next phase and end, from the earlier runs of its kind."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median

from signalbox.store import Reading, TaskQuery
from signalbox.store.state import Phase, Task
from signalbox.webapp.views.text import seconds

RUNS = 20
"""How many of the newest successful runs a forecast uses."""

CACHE_SECONDS = 30.0
"""Seconds for which earlier runs are kept. One more run changes a median of 20 only a little."""


@dataclass(frozen=True, kw_only=True)
class Forecast:
    """The expected step after the phase `phase` (None: before the first), from `runs` earlier runs.

    `next` is None for the end of the run. Durations are those of `phase`, in seconds; `due` is its usual end, None if
    that is after the year 9999.
    """

    runs: int
    phase: str | None = None
    next: str | None = None
    usual: float = 0.0
    shortest: float = 0.0
    longest: float = 0.0
    due: str | None = None


async def earlier_phases(view: Reading, task: Task) -> list[list[Phase]]:
    """Read the phases of the newest successful runs of the task's kind in its project.

    Returns none for a task that ended or has no kind.
    """
    if not task.kind or task.ended:
        return []
    query = TaskQuery(kind=task.kind, statuses=("done",), projects=(task.project_id,), limit=RUNS)
    return [await view.phases(other.task_id) for other in (await view.tasks(query)).tasks]


class Earlier:
    """The phases of the earlier runs of one task, read again after `CACHE_SECONDS` seconds."""

    def __init__(self) -> None:
        self._runs: list[list[Phase]] = []
        self._read_at = float("-inf")

    async def of(self, view: Reading, task: Task) -> list[list[Phase]]:
        """Return the phases as `earlier_phases` reads them."""
        if not task.kind or task.ended:
            return []
        if time.monotonic() - self._read_at >= CACHE_SECONDS:
            self._runs = await earlier_phases(view, task)
            self._read_at = time.monotonic()
        return self._runs


async def forecast(view: Reading, task: Task, phases: Sequence[Phase], earlier: Earlier) -> Forecast | None:
    """Return the forecast of a task that has not ended, else None."""
    return None if task.ended else expected(phases, await earlier.of(view, task), current=task.phase)


def expected(phases: Sequence[Phase], earlier: Sequence[Sequence[Phase]], *, current: str | None) -> Forecast:
    """Return the forecast of a run in the phase `current`. Runs without that phase do not count."""
    here = next((phase for phase in phases if phase.phase == current and phase.state == "open"), None)
    if here is None:
        firsts = Counter(run[0].phase for run in earlier if run)
        follows = firsts.most_common(1)[0][0] if firsts and not phases else None
        return Forecast(runs=firsts.total() if follows else 0, next=follows)
    took: list[float] = []
    followed: Counter[str | None] = Counter()
    for run in earlier:
        for number, phase in enumerate(run):
            if phase.phase == here.phase and phase.exited_at:
                took.append(seconds(phase.entered_at, phase.exited_at))
                after = [other.phase for other in run[number + 1 :] if other.entered_at >= phase.exited_at]
                followed[after[0] if after else None] += 1
    if not took:
        return Forecast(runs=0, phase=here.phase)
    usual = median(took)
    return Forecast(
        runs=len(took),
        phase=here.phase,
        next=followed.most_common(1)[0][0],
        usual=usual,
        shortest=min(took),
        longest=max(took),
        due=_after(here.entered_at, usual),
    )


def _after(at: str, elapsed: float) -> str | None:
    try:
        due = datetime.fromisoformat(at) + timedelta(seconds=elapsed)
    except (OverflowError, ValueError):  # An imported log may have any time.
        return None
    return due.isoformat(timespec="microseconds").replace("+00:00", "Z")

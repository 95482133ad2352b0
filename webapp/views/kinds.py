"""The kinds of tasks, each with its newest runs in short."""

from __future__ import annotations

from dataclasses import dataclass

from signalbox.store import Reading
from signalbox.store.contract import RunFacts
from signalbox.webapp.views.run_statistics import Statistics, statistics_of

RUNS = 50
"""The newest runs of a kind, from which all its statistics are computed."""

SQUARES = 10
"""The newest runs that the overview draws."""

PAGE = 50
"""Kinds on one page of the overview."""


@dataclass(frozen=True)
class KindLine:
    """A kind with the statistics of its newest runs. `newest` are the last `SQUARES` of them, the newest last."""

    kind: str
    statistics: Statistics
    newest: list[RunFacts]
    latest_at: str


@dataclass(frozen=True)
class KindsView:
    """A page of the kinds. `more` is the name after which the next page starts, None on the last page."""

    lines: list[KindLine]
    after: str
    more: str | None


async def kinds_view(view: Reading, projects: tuple[str, ...] | None, after: str = "", limit: int = PAGE) -> KindsView:
    """Read the first `limit` kinds after `after`, with the runs in `projects` (None: in all)."""
    names = await view.kinds(after, limit + 1, projects)
    shown = names[:limit]
    runs = await view.newest_runs(shown, RUNS, projects)
    lines = [
        KindLine(kind, statistics_of(found), found[:SQUARES][::-1], found[0].created_at)
        for kind, found in runs.items()
        if found
    ]
    return KindsView(lines, after, shown[-1] if len(names) > limit else None)

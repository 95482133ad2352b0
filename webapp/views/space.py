"""The space that the store takes: by project and kind, its growth, and when the disk will be full."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass

from signalbox.store import Reading
from signalbox.store.contract.reading.space import DatabaseSpace, KindSpace
from signalbox.store.kinds import sqlite_path
from signalbox.store.retention import Retention
from signalbox.store.retention.samples import Growth, SpaceSample, days_until_full, growth, sample_of

MAX_ROWS = 200
"""Kinds that the page names; the others are one row."""

CHART_DAYS = 90


@dataclass(frozen=True, kw_only=True)
class KindRow:
    """A kind of tasks in a project, with its times in words: "after 30 days", or "" for never."""

    space: KindSpace
    cold_after: str
    delete_after: str


@dataclass(frozen=True, kw_only=True)
class SpaceView:
    """All that the page of space shows. Sizes are in bytes.

    `logs` and `artifacts` are estimates of what tasks take in the database, and `other` is the rest of it: accounts,
    audits, indexes. `disk_free` is None if the server does not see the disk of the database. `waiting`, `deleted` and
    `failed` come from the last pass of retention; `removals` are deleted tasks of which rows are left.
    """

    database: DatabaseSpace
    search_index: int
    cold: int
    logs: int
    artifacts: int
    rows: list[KindRow]
    more: KindSpace | None
    tasks: int
    held: int
    cold_tasks: int
    samples: list[SpaceSample]
    growth: Growth | None
    disk_free: int | None
    days_left: float | None
    removals: int
    limits: list[tuple[str, int, int]]

    @property
    def other(self) -> int:
        """The bytes of the database that belong to no task."""
        used = self.database.bytes - self.database.free
        return max(0, used - self.logs - self.artifacts - self.search_index)

    @property
    def chart(self) -> list[int]:
        """The totals of the last days, for a drawing."""
        return [one.total for one in self.samples[-CHART_DAYS:]]


async def space_view(view: Reading, rules: Retention, url: str) -> SpaceView:
    """Read the space of a store whose URL is given."""
    database, kinds = await view.database_space(), await view.space_by_kind()
    samples = [found for _, text in await view.space_samples() if (found := sample_of(text))]
    disk_free, pace = _disk_free(url), growth(samples)
    return SpaceView(
        database=database,
        search_index=(await view.index_state()).size,
        cold=sum(one.cold_bytes for one in kinds),
        logs=sum(one.bytes for one in kinds),
        artifacts=sum(one.artifacts for one in kinds),
        rows=[_row(one, rules) for one in kinds[:MAX_ROWS]],
        more=_sum(kinds[MAX_ROWS:]) if len(kinds) > MAX_ROWS else None,
        tasks=sum(one.tasks for one in kinds),
        held=sum(one.held for one in kinds),
        cold_tasks=sum(one.cold_tasks for one in kinds),
        samples=samples,
        growth=pace,
        disk_free=disk_free,
        days_left=None if disk_free is None else days_until_full(pace, disk_free + database.free),
        removals=await view.removals(),
        limits=[
            (
                limit.words,
                sum(one.bytes + one.artifacts for one in kinds if limit.matches(one.project_id, one.kind)),
                limit.max_bytes,
            )
            for limit in rules.limits
        ],
    )


def days_words(days: float) -> str:
    """Format an age in days: 30 days, 1 day, 0.5 days."""
    return f"{days:g} day{'' if days == 1 else 's'}"


def _row(space: KindSpace, rules: Retention) -> KindRow:
    cold, deleted = (after(space.project_id, space.kind) for after in (rules.cold_after, rules.delete_after))
    return KindRow(
        space=space,
        cold_after=f"after {days_words(cold.days)}" if cold else "",
        delete_after=f"after {days_words(deleted.days)}" if deleted else "",
    )


def _sum(kinds: Sequence[KindSpace]) -> KindSpace:
    names = ("tasks", "held", "bytes", "artifacts", "cold_tasks", "cold_bytes")
    return KindSpace("", None, *(sum(getattr(one, name) for one in kinds) for name in names))


def _disk_free(url: str) -> int | None:
    """Return the free bytes of the disk with the database file, or None for another kind of store."""
    path = sqlite_path(url)
    try:
        return shutil.disk_usage(path.absolute().parent).free if path is not None else None
    except OSError:
        return None

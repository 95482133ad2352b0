"""A few runs side by side, each with its standing and its newest rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from signalbox.store import Event, Reading
from signalbox.store.state import Task

ROWS = 10
"""The newest rows of the log of each run."""


@dataclass(frozen=True, kw_only=True)
class Tile:
    """One of the runs, with the newest rows of its log."""

    task: Task
    rows: list[Event]


async def watch_tiles(view: Reading, task_ids: Sequence[str]) -> list[Tile]:
    """Read the runs in one view. Raises UnknownTask."""
    brief = view.brief()
    tiles = []
    for task_id in task_ids:
        task = await view.task(task_id)
        tiles.append(Tile(task=task, rows=await brief.rows_before(task_id, task.latest_seq + 1, ROWS)))
    return tiles

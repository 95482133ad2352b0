"""Queries over many tasks that skip the tasks in a damaged part of the database."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any

from signalbox.store.errors import StoreDamaged
from signalbox.store.sql.views.base import Keep, Query, Rows
from signalbox.store.sqlite.damaged import is_damage

BATCH_SIZE = 500
"""Tasks per query once damage was found."""

MAX_DAMAGED = 500
"""With more unreadable tasks than this, a part that all tasks share is damaged, and the query fails."""

MAX_NAMED = 20
"""Unreadable tasks that the error message names."""


class PiecewiseRows(Rows):
    """Runs queries over many tasks. `damage` is the error of tasks that a query skipped."""

    damage: StoreDamaged | None = None

    async def _rows_of_tasks(
        self, query: Query, task_ids: Sequence[str] | None = None, keep: Keep = list
    ) -> tuple[list[Any], list[str]]:
        """Return the rows of `query`, and the ids of tasks that cannot be read because the file is damaged.

        If the query fails because of damage, it is repeated for fewer and fewer tasks. Raises the error of SQLite.
        """
        try:
            sql, values = query(task_ids)
            return await self._rows(sql, *values), []
        except sqlite3.DatabaseError as error:
            if not is_damage(error):
                raise
            return await self._in_batches(query, task_ids, keep, error)

    async def _in_batches(
        self, query: Query, task_ids: Sequence[str] | None, keep: Keep, error: sqlite3.DatabaseError
    ) -> tuple[list[Any], list[str]]:
        if task_ids is None:
            # This reads the ids from their index, not from the table.
            task_ids = [row[0] for row in await self._rows("SELECT task_id FROM tasks ORDER BY task_id")]
        batches = [task_ids[at : at + BATCH_SIZE] for at in range(0, len(task_ids), BATCH_SIZE)]
        rows: list[Any] = []
        damaged: list[str] = []
        while batches:
            batch = batches.pop()
            try:
                sql, values = query(batch)
                rows = keep(rows + await self._rows(sql, *values))
            except sqlite3.DatabaseError as again:
                if not is_damage(again) or len(damaged) >= MAX_DAMAGED:
                    raise
                if len(batch) == 1:
                    damaged += batch
                else:
                    batches += [batch[: len(batch) // 2], batch[len(batch) // 2 :]]
        names = ", ".join(damaged[:MAX_NAMED]) + (
            f" and {len(damaged) - MAX_NAMED} more" if len(damaged) > MAX_NAMED else ""
        )
        unreadable = f"tasks that cannot be read: {names}" if damaged else "an index cannot be read"
        self.damage = StoreDamaged(f"the database is damaged: {error}; {unreadable}")
        return rows, damaged

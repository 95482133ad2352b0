"""Queries over many tasks in a database of which a part is damaged: those of the other tasks are still answered."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from typing import Any

from signalbox.store.errors import StoreDamaged
from signalbox.store.sqlite.damaged import is_damage
from signalbox.store.sqlite.views.base import Rows

PIECE = 500
"""Tasks that are asked for at once."""

MOST_DAMAGED = 500
"""Tasks that may be unreadable. With more, what they share is damaged, and the query fails."""

NAMED = 20
"""Tasks that the log of the server names."""

Query = Callable[[Sequence[str] | None], tuple[str, list[object]]]
"""Gives the SQL and its values for some tasks, or for all (None)."""

Keep = Callable[[list[Any]], list[Any]]
"""Chooses the rows to keep of those that all pieces gave so far."""


class PiecewiseRows(Rows):
    """`damage` is what a view could not read although its queries were answered."""

    damage: StoreDamaged | None = None

    async def _rows_of_tasks(
        self, query: Query, task_ids: Sequence[str] | None = None, keep: Keep = list
    ) -> tuple[list[Any], list[str]]:
        """The rows of `query`, and the tasks of which a damaged part of the file holds some.

        If the query fails because of damage, it is asked for fewer and fewer tasks. Raises the error of SQLite.
        """
        try:
            sql, values = query(task_ids)
            return await self._rows(sql, *values), []
        except sqlite3.DatabaseError as error:
            if not is_damage(error):
                raise
            return await self._piecewise(query, task_ids, keep, error)

    async def _piecewise(
        self, query: Query, task_ids: Sequence[str] | None, keep: Keep, error: sqlite3.DatabaseError
    ) -> tuple[list[Any], list[str]]:
        if task_ids is None:
            # The index of the ids has them all, without the table.
            task_ids = [row[0] for row in await self._rows("SELECT task_id FROM tasks ORDER BY task_id")]
        pieces = [task_ids[at : at + PIECE] for at in range(0, len(task_ids), PIECE)]
        rows: list[Any] = []
        damaged: list[str] = []
        while pieces:
            some = pieces.pop()
            try:
                sql, values = query(some)
                rows = keep(rows + await self._rows(sql, *values))
            except sqlite3.DatabaseError as again:
                if not is_damage(again) or len(damaged) >= MOST_DAMAGED:
                    raise
                if len(some) == 1:
                    damaged += some
                else:
                    pieces += [some[: len(some) // 2], some[len(some) // 2 :]]
        named = ", ".join(damaged[:NAMED]) + (f" and {len(damaged) - NAMED} more" if len(damaged) > NAMED else "")
        told = f"tasks that cannot be read: {named}" if damaged else "an index cannot be read"
        self.damage = StoreDamaged(f"the database is damaged: {error}; {told}")
        return rows, damaged

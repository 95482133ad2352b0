"""The base of all views: runs their queries, and converts the rows to values."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Self

from signalbox.store.events import Event
from signalbox.store.sql.dialect import Condition, Dialect, everything
from signalbox.store.sql.rows import COLUMNS, long_events_of, readable

Query = Callable[[Sequence[str] | None], tuple[str, list[object]]]
"""Returns the SQL and its values for these tasks, or for all tasks (None)."""

Keep = Callable[[list[Any]], list[Any]]
"""Chooses which rows of several partial results to keep."""


UNLIMITED = 2**62
"""The LIMIT of a query that returns all rows."""


class Rows(ABC):
    """Runs queries on a connection lent to this view. Each kind of store has a subclass."""

    dialect: ClassVar[Dialect]
    _columns = COLUMNS
    any_cold: bool | None = None
    """Whether any task is in cold storage; None if the view does not know it."""
    asks_for_cold: ClassVar[bool] = False
    """Whether the first query of a view also sets `any_cold`."""

    @abstractmethod
    def brief(self) -> Self:
        """Return the same view with long payloads shortened."""

    async def latest_event_id(self) -> int:
        """Return the newest event id that was ever assigned."""
        return (await self._rows(f"SELECT {self.dialect.newest_event}"))[0][0] or 0

    @abstractmethod
    async def _rows(self, sql: str, *values: object) -> list[Any]:
        """Return the rows of one query."""

    async def _rows_of_tasks(
        self, query: Query, task_ids: Sequence[str] | None = None, keep: Keep = list
    ) -> tuple[list[Any], list[str]]:
        """Return the rows of `query`, and the ids of tasks that a damaged database does not let it read."""
        sql, values = query(task_ids)
        return await self._rows(sql, *values), []

    async def _values(self, kind: type[Any], sql: str, *values: object) -> list[Any]:
        return readable(kind, await self._rows(sql, *values))

    async def _events(self, where: str, *values: object) -> list[Event]:
        return await long_events_of(await self._rows(f"SELECT {self._columns} FROM task_events WHERE {where}", *values))

    def _only(self, task_ids: Sequence[str] | None, column: str = "task_id") -> Condition:
        """Return the condition that a row belongs to one of these tasks. None means all tasks."""
        return everything() if task_ids is None else self.dialect.among(column, task_ids)

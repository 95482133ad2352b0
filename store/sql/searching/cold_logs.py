"""Access of a search to the events in cold storage."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from signalbox.store.contract.values import ColdTask
from signalbox.store.errors import ColdFileDamaged, StoreUnavailable
from signalbox.store.events import Event
from signalbox.store.search import SearchQuery
from signalbox.store.search.documents import BLOCK_EVENTS
from signalbox.store.sql.dialect import everything, one_of
from signalbox.store.sql.searching.comparison import Hit
from signalbox.store.sql.searching.scan import OneLog
from signalbox.store.sql.views.cold import COLUMNS, ColdViews

T = TypeVar("T")


class ColdLogs:
    """Reads the files of the tasks in cold storage that a search needs, one after the other.

    `view_of` returns the view of a file, and `release` closes it. `unread` are the ids of tasks whose file could not be
    read: a missing or damaged file fails no search.
    """

    def __init__(
        self, hot: ColdViews, view_of: Callable[[ColdTask], Awaitable[OneLog]], release: Callable[[str], None]
    ) -> None:
        self._hot, self._view_of, self._release = hot, view_of, release
        self.unread: set[str] = set()

    async def read(
        self,
        blocks: Sequence[int],
        read: Callable[[OneLog], Awaitable[T]],
        query: SearchQuery | None = None,
        *,
        whole: bool = False,
    ) -> list[T]:
        """Return what `read` returns for each task that may have events in these blocks and that the query may find.

        With `whole` this raises the error of a file that cannot be read.
        """
        found = []
        for task in await self._tasks(blocks, query):
            if task.task_id in self.unread:
                continue
            try:
                found.append(await read(await self._view_of(task)))
            except (ColdFileDamaged, StoreUnavailable):
                if whole:
                    raise
                self.unread.add(task.task_id)
            finally:
                self._release(task.task_id)
        return found

    async def events(self, hits: Sequence[Hit]) -> list[Event]:
        """Return the events of those hits that are in cold storage."""
        seqs: dict[str, list[int]] = {}
        for hit in hits:
            seqs.setdefault(hit.task_id, []).append(hit.seq)
        found: list[Event] = []
        for task_id, wanted in seqs.items():
            task = await self._hot.cold_task(task_id)
            if task is None:
                continue
            try:
                found += await (await self._view_of(task)).events_at(task_id, wanted)
            except (ColdFileDamaged, StoreUnavailable):
                self.unread.add(task_id)
            finally:
                self._release(task_id)
        return found

    async def _tasks(self, blocks: Sequence[int], query: SearchQuery | None) -> list[ColdTask]:
        low, high = min(blocks) * BLOCK_EVENTS, (max(blocks) + 1) * BLOCK_EVENTS
        filters = []
        if query is not None:
            if query.within is not None:
                filters.append(one_of("project_id", query.within))
            if query.kind:
                filters.append(("kind = ?", [query.kind]))
            if query.statuses:
                filters.append(one_of("status", query.statuses))
        where = " AND ".join(condition for condition, _ in filters) or everything()[0]
        values = [value for _, some in filters for value in some]
        among = f"task_id IN (SELECT task_id FROM tasks WHERE cold = 1 AND {where})"
        sql = (
            f"SELECT {COLUMNS} FROM cold_tasks WHERE stage <> 'packing' AND last_event_id >= ? AND first_event_id < ?"
            f" AND {among}"
        )
        return [ColdTask(*row) for row in await self._hot._rows(sql, low, high, *values)]

"""Queries about the search index: how far it is, and what the process that fills it reads."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

import msgspec

from signalbox.store.search import IndexProgress, IndexState
from signalbox.store.search.coarse import PART_BLOCKS, blocks_of
from signalbox.store.search.documents import BLOCK_EVENTS, IndexedEvent, block_of
from signalbox.store.search.results import IndexPart, IndexWork
from signalbox.store.sql.damaged import text_or_nothing
from signalbox.store.sql.searching.cold_logs import ColdLogs
from signalbox.store.sql.searching.comparison import HAPPENED_AT, is_failure, plain_payload
from signalbox.store.sql.searching.index import CHANGES
from signalbox.store.sql.searching.scan import ScanViews


class SearchIndexViews(ScanViews):
    """Implements the reads of `SearchReading` for the index."""

    @abstractmethod
    async def _index_size(self) -> int:
        """Return the bytes of the index."""

    async def index_state(self) -> IndexState:
        progress = await self._index_progress()
        ((blocks,),) = await self._rows("SELECT count(*) FROM search_blocks")
        size = await self._index_size() if progress.on else 0
        return IndexState(**msgspec.structs.asdict(progress), blocks=blocks, size=size)

    async def _index_progress(self) -> IndexProgress:
        ((next_block, on, rebuild, problem, until, changed),) = await self._rows(
            "SELECT next_block, is_on, rebuild, problem, (SELECT created_at FROM task_events WHERE event_id <"
            f" next_block * {BLOCK_EVENTS} ORDER BY event_id DESC LIMIT 1), (SELECT count(*) FROM search_changed)"
            " FROM search_state"
        )
        return IndexProgress(
            on=bool(on),
            next_block=next_block,
            behind=max(0, await self.latest_event_id() + 1 - max(next_block * BLOCK_EVENTS, 1)),
            indexed_until=text_or_nothing(until),
            changed=changed if on else 0,
            problem=problem,
            rebuilding=bool(rebuild),
        )

    async def index_work(self, limit: int) -> IndexWork:
        # Asked every second, and there is seldom a changed block.
        ((next_block, on, rebuild, problem, some, any_changed, newest, changes),) = await self._rows(
            "SELECT next_block, is_on, rebuild, problem, EXISTS (SELECT 1 FROM search_blocks),"
            f" EXISTS (SELECT 1 FROM search_changed), {self.dialect.newest_event},"
            " (SELECT value FROM store_facts WHERE name = ?) FROM search_state",
            CHANGES,
        )
        changed = []
        if any_changed:
            changed = await self._rows("SELECT block FROM search_changed ORDER BY block DESC LIMIT ?", limit)
        blocks, end = tuple(block for (block,) in changed), block_of((newest or 0) + 1)
        return IndexWork(next_block, end, blocks, bool(some), bool(on), bool(rebuild), problem, int(changes or 0))

    async def events_to_index(
        self, blocks: Sequence[int], *, whole: bool = False, cold: ColdLogs | None = None
    ) -> list[IndexedEvent]:
        source, values = self._events_of_blocks(blocks)
        rows = await self._rows(
            f"SELECT e.event_id, e.event_type, e.phase, e.actor, {plain_payload(self.dialect)}, {HAPPENED_AT},"
            " t.project_id, t.kind, e.seq, e.failure, t.failure_lines"
            f" FROM {source} CROSS JOIN tasks t WHERE t.task_id = e.task_id AND {self._counts_here}",
            *values,
        )
        found = [_indexed(*row) for row in rows]
        if cold is not None:
            for more in await cold.read(blocks, lambda view: view.events_to_index(blocks), whole=whole):
                found += more
        return sorted(found, key=lambda event: event.event_id)

    async def index_parts(self, first: int, limit: int) -> list[IndexPart]:
        low, high = first * PART_BLOCKS, (first + limit) * PART_BLOCKS
        ids = low * BLOCK_EVENTS, high * BLOCK_EVENTS
        block = f"event_id / {BLOCK_EVENTS}"
        counted = f"SELECT {block}, count(*) FROM task_events WHERE event_id >= ? AND event_id < ? GROUP BY {block}"
        present = dict(await self._rows(counted, *ids))
        sql = "SELECT block, events FROM search_blocks WHERE block >= ? AND block < ?"
        indexed = dict(await self._rows(sql, low, high))
        sql = "SELECT part FROM search_parts WHERE part >= ? AND part < ?"
        with_filter = {part for (part,) in await self._rows(sql, first, first + limit)}
        cold = await self._rows(
            "SELECT first_event_id, last_event_id FROM cold_tasks WHERE stage <> 'packing' AND last_event_id >= ?"
            " AND first_event_id < ?",
            *ids,
        )
        found = []
        for part in range(first, first + limit):
            own = blocks_of(part)
            begin, end = own.start * BLOCK_EVENTS, own.stop * BLOCK_EVENTS
            found.append(
                IndexPart(
                    part=part,
                    changed=tuple(block for block in own if present.get(block) != indexed.get(block)),
                    is_hot=any(block in present for block in own),
                    is_cold=any(task_first < end and task_last >= begin for task_first, task_last in cold),
                    has_filter=part in with_filter,
                    indexed=sum(block in indexed for block in own),
                )
            )
        return found


def _indexed(event_id: int, *row: Any) -> IndexedEvent:
    """Return the facts of an event from its row. A value that damage has given another type counts as absent."""
    event_type, phase, actor, payload, happened_at, project_id, kind = map(text_or_nothing, row[:7])
    return IndexedEvent(
        event_id, event_type, phase, actor, payload, happened_at, project_id, kind, is_failure(*row[7:])
    )

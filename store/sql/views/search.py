"""Queries of the search over all runs: its pages and counts, and the reads for its index."""

from __future__ import annotations

from abc import abstractmethod
from collections import Counter
from collections.abc import Sequence
from contextlib import aclosing
from typing import Any

from signalbox.store.search import PERIODS, IndexState, SearchCounts, SearchHit, SearchPage, SearchQuery
from signalbox.store.search.coarse import PART_BLOCKS, blocks_of
from signalbox.store.search.documents import BLOCK_EVENTS, IndexedEvent, block_of
from signalbox.store.search.results import IndexPart, IndexWork
from signalbox.store.sql.damaged import text_or_nothing
from signalbox.store.sql.searching.cold_logs import ColdLogs
from signalbox.store.sql.searching.comparison import HAPPENED_AT, Hit, is_failure, plain_payload
from signalbox.store.sql.searching.scan import Scan, ScanViews
from signalbox.store.times import epoch_seconds, now, timestamp

MAX_COUNTED = 2500
"""Hits after which counting stops. It also stops when half of the time is over and the page is full."""


class SearchViews(ScanViews):
    """Implements `SearchReading` of `store.contract`."""

    @abstractmethod
    async def _index_size(self) -> int:
        """Return the bytes of the index."""

    async def search_all(
        self, query: SearchQuery, *, seconds: float = 0.25, cold: ColdLogs | None = None
    ) -> SearchPage:
        state = await self.index_state()
        high = await self.latest_event_id() + 1
        scan = Scan(seconds)
        if query.within == ():
            scan.ended = True
            return await self._page(query, [], scan, _counts([], more=False), state, cold)
        counted = await self._hits(query, scan, 1, high, MAX_COUNTED, cold=cold)
        counts = _counts(counted, more=not scan.ended)
        hits = counted
        if query.after is not None:
            scan = Scan(seconds)
            hits = await self._hits(query, scan, query.after + 1, high, query.limit + 1, ascending=True, cold=cold)
        elif query.before is not None:
            scan = Scan(seconds)
            hits = await self._hits(query, scan, 1, min(query.before, high), query.limit + 1, cold=cold)
        return await self._page(query, hits, scan, counts, state, cold)

    async def _hits(
        self,
        query: SearchQuery,
        scan: Scan,
        low: int,
        high: int,
        limit: int,
        *,
        ascending: bool = False,
        cold: ColdLogs | None = None,
    ) -> list[Hit]:
        found: list[Hit] = []
        async with aclosing(self._scan(query, scan, low, high, ascending=ascending, cold=cold)) as batches:
            async for batch in batches:
                found += batch
                if len(found) >= limit or (len(found) > query.limit and scan.is_half_over):
                    break
        return found[:limit]

    async def _page(
        self,
        query: SearchQuery,
        hits: list[Hit],
        scan: Scan,
        counts: SearchCounts,
        state: IndexState,
        cold: ColdLogs | None,
    ) -> SearchPage:
        shown, more = hits[: query.limit], len(hits) > query.limit
        late = not more and not scan.ended
        older: int | None
        newer: int | None
        end = shown[-1].event_id if more else scan.reached if late else None
        reached = await self._time_of(scan.reached or 0) if late else None
        if query.after is not None:
            shown.reverse()
            older, newer = (shown[-1].event_id if shown else query.after + 1), end
        else:
            older, newer = end, None
            if query.before is not None:
                newer = shown[0].event_id if shown else query.before - 1
        found = await self._found(shown, cold)
        return SearchPage(found, older, newer, counts, state, reached, len(cold.unread) if cold is not None else 0)

    async def _found(self, hits: Sequence[Hit], cold: ColdLogs | None) -> list[SearchHit]:
        """Return the events of these hits with facts of their tasks, in the same order."""
        if not hits:
            return []
        among, ids = self.dialect.among("event_id", [hit.event_id for hit in hits])
        events = {event.event_id: event for event in await self._events(among, *ids)}
        if cold is not None and len(events) < len(hits):
            events |= {event.event_id: event for event in await cold.events(hits)}
        of_tasks, task_ids = self.dialect.among("t.task_id", sorted({event.task_id for event in events.values()}))
        rows = await self._rows(
            "SELECT t.task_id, c.identity, t.title, t.kind, t.project_id, t.status FROM tasks t"
            f" JOIN task_event_seq_counters c ON c.task_id = t.task_id WHERE {of_tasks}",
            *task_ids,
        )
        tasks = {task_id: facts for task_id, *facts in rows}
        found = [events[hit.event_id] for hit in hits if hit.event_id in events]
        return [SearchHit(event, *tasks[event.task_id]) for event in found if event.task_id in tasks]

    async def _time_of(self, event_id: int) -> str:
        sql = "SELECT created_at FROM task_events WHERE event_id >= ? ORDER BY event_id LIMIT 1"
        rows = await self._rows(sql, event_id)
        return str(rows[0][0]) if rows else ""

    # the index

    async def index_state(self) -> IndexState:
        state = await self._rows("SELECT next_block, is_on, rebuild, problem FROM search_state")
        ((next_block, on, rebuild, problem),) = state
        first = next_block * BLOCK_EVENTS
        indexed = await self._rows(
            "SELECT created_at FROM task_events WHERE event_id < ? ORDER BY event_id DESC LIMIT 1", first
        )
        ((blocks,),) = await self._rows("SELECT count(*) FROM search_blocks")
        ((changed,),) = await self._rows("SELECT count(*) FROM search_changed")
        return IndexState(
            on=bool(on),
            behind=max(0, await self.latest_event_id() + 1 - max(first, 1)),
            indexed_until=text_or_nothing(indexed[0][0]) if indexed else "",
            blocks=blocks,
            size=await self._index_size() if on else 0,
            changed=changed if on else 0,
            problem=problem,
            rebuilding=bool(rebuild),
        )

    async def index_work(self, limit: int) -> IndexWork:
        state = await self._rows("SELECT next_block, is_on, rebuild, problem FROM search_state")
        ((next_block, on, rebuild, problem),) = state
        changed = await self._rows("SELECT block FROM search_changed ORDER BY block DESC LIMIT ?", limit)
        some = await self._rows("SELECT 1 FROM search_blocks LIMIT 1")
        end = block_of(await self.latest_event_id() + 1)
        blocks = tuple(block for (block,) in changed)
        return IndexWork(next_block, end, blocks, bool(some), bool(on), bool(rebuild), problem)

    async def events_to_index(self, blocks: Sequence[int], *, cold: ColdLogs | None = None) -> list[IndexedEvent]:
        source, values = self._events_of_blocks(blocks)
        rows = await self._rows(
            f"SELECT e.event_id, e.event_type, e.phase, e.actor, {plain_payload(self.dialect)}, {HAPPENED_AT},"
            " t.project_id, t.kind, e.seq, e.failure, t.failure_lines"
            f" FROM {source} CROSS JOIN tasks t WHERE t.task_id = e.task_id AND {self._counts_here}",
            *values,
        )
        found = [_indexed(*row) for row in rows]
        if cold is not None:
            async for view in cold.views(blocks):
                found += await view.events_to_index(blocks)
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


def _counts(hits: Sequence[Hit], *, more: bool) -> SearchCounts:
    kinds = Counter(hit.kind for hit in hits if hit.kind)
    projects, statuses = Counter(hit.project_id for hit in hits), Counter(hit.status for hit in hits)
    present = epoch_seconds(now())
    since = {name: timestamp(present - seconds) for name, seconds in PERIODS.items()}
    periods = {name: sum(hit.at >= bound for hit in hits) for name, bound in since.items()}
    return SearchCounts(
        total=len(hits),
        kinds=_largest_first(kinds),
        projects=_largest_first(projects),
        statuses=_largest_first(statuses),
        periods=periods,
        more=more,
    )


def _largest_first(counts: Counter[str]) -> dict[str, int]:
    return dict(sorted(counts.items(), key=lambda one: (-one[1], one[0])))

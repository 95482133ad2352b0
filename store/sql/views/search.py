"""Queries of the search over all runs: its pages and counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from contextlib import aclosing

from signalbox.store.events import Event
from signalbox.store.search import PERIODS, SEARCH_SECONDS, SearchCounts, SearchHit, SearchPage, SearchQuery
from signalbox.store.sql.searching.block_ranges import BlockRanges, block_ranges_of, block_ranges_sql
from signalbox.store.sql.searching.cold_logs import ColdLogs
from signalbox.store.sql.searching.comparison import Hit
from signalbox.store.sql.searching.scan import OtherLogs, Scan, SearchScope
from signalbox.store.sql.views.search_index import SearchIndexViews
from signalbox.store.times import epoch_seconds, now, timestamp

MAX_COUNTED = 1001
"""Hits after which counting stops. It also stops when half of the time is over and the page is full."""

MAX_PAGE_BYTES = 4 * 1024 * 1024
"""Bytes of payloads after which a page has no further hits."""

PIECE = 25
"""Hits whose events are read together."""

PAGE_SHARE = 0.75
"""The part of the time in which a search looks for a page after a cursor. Counting has the rest."""


class SearchViews(SearchIndexViews):
    """Implements `SearchReading` of `store.contract`."""

    async def search_all(
        self, query: SearchQuery, *, seconds: float = SEARCH_SECONDS, cold: ColdLogs | None = None
    ) -> SearchPage:
        progress = await self._index_progress()
        scan, search = Scan(seconds), SearchScope(query, progress, await self._block_ranges(query), cold)
        if query.within == ():
            scan.ended = True
            return await self._page(search, [], scan, _counts([], more=False))
        if query.before is None and query.after is None:
            hits = await self._hits(search, scan, 1, progress.end, MAX_COUNTED)
            return await self._page(search, hits, scan, _counts(hits, more=not scan.ended))
        scan = scan.rest(seconds * PAGE_SHARE)
        if query.after is not None:
            hits = await self._hits(search, scan, query.after + 1, progress.end, query.limit + 1, ascending=True)
        else:
            hits = await self._hits(search, scan, 1, min(query.before or 1, progress.end), query.limit + 1)
        counting = scan.rest(seconds)
        counted = await self._hits(search, counting, 1, progress.end, MAX_COUNTED)
        return await self._page(search, hits, scan, _counts(counted, more=not counting.ended))

    async def _block_ranges(self, query: SearchQuery) -> BlockRanges | None:
        if not query.statuses or query.within == ():
            return None
        sql, values = block_ranges_sql(query)
        return block_ranges_of(await self._rows(sql, *values))

    async def _hits(
        self, search: SearchScope, scan: Scan, low: int, high: int, limit: int, *, ascending: bool = False
    ) -> list[Hit]:
        found: list[Hit] = []
        async with aclosing(self._scan(search, scan, low, high, limit, ascending=ascending)) as batches:
            async for batch in batches:
                found += batch
                if len(found) >= limit or (len(found) > search.query.limit and scan.is_half_over):
                    break
        return found[:limit]

    async def _page(self, search: SearchScope, hits: list[Hit], scan: Scan, counts: SearchCounts) -> SearchPage:
        query, cold = search.query, search.cold
        shown, more = hits[: query.limit], len(hits) > query.limit
        events, read = await self._events_of_hits(shown, cold)
        shown, more = shown[:read], more or read < len(shown)
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
        found = await self._found(shown, events)
        unread = len(cold.unread) if cold is not None else 0
        return SearchPage(found, older, newer, counts, search.progress, reached, unread)

    async def _events_of_hits(self, hits: Sequence[Hit], cold: OtherLogs | None) -> tuple[dict[int, Event], int]:
        """Return the events of the first hits, by id, and the number of hits that were looked up.

        Long events fill a page before all hits are looked up.
        """
        events: dict[int, Event] = {}
        size = 0
        for place in range(0, len(hits), PIECE):
            piece = hits[place : place + PIECE]
            among, ids = self.dialect.among("event_id", [hit.event_id for hit in piece])
            found = {event.event_id: event for event in await self._events(among, *ids)}
            if cold is not None and len(found) < len(piece):
                found |= {event.event_id: event for event in await cold.events(piece)}
            events |= found
            size += sum(memoryview(event.payload_json).nbytes for event in found.values())
            if size > MAX_PAGE_BYTES:
                return events, place + len(piece)
        return events, len(hits)

    async def _found(self, hits: Sequence[Hit], events: dict[int, Event]) -> list[SearchHit]:
        """Return the events of these hits with facts of their tasks, in the same order."""
        if not events:
            return []
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

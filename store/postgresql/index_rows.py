"""Reads of the search index in PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence

from signalbox.store.search.documents import BLOCK_EVENTS
from signalbox.store.sql.dialect import Condition, pattern_of
from signalbox.store.sql.searching.candidates import CandidateViews
from signalbox.store.sql.searching.comparison import Wanted

FIRST_WINDOW, GROWTH = 2, 8
"""Blocks that the first query covers, in times of the limit, and the factor for each further query.

PostgreSQL finds all blocks of a query before it sorts them, so a frequent text is looked for in few blocks first.
"""


class PostgresIndexReads(CandidateViews):
    """Implements the reads of the index that depend on the kind of store."""

    async def _named_by_index(self, wanted: Wanted, low: int, high: int, limit: int, ascending: bool) -> list[int]:
        where, values = _conditions(wanted)
        sql = (
            f"SELECT block FROM search_blocks WHERE block >= ? AND block < ?{where}"
            f" ORDER BY block {'ASC' if ascending else 'DESC'} LIMIT ?"
        )
        found: list[int] = []
        window = FIRST_WINDOW * limit
        while low < high and len(found) < limit:
            first, last = (low, min(low + window, high)) if ascending else (max(low, high - window), high)
            rows = await self._rows(sql, first, last, *values, limit - len(found))
            found += [block for (block,) in rows]
            low, high = (last, high) if ascending else (low, first)
            window *= GROWTH
        return found

    def _events_of_blocks(self, blocks: Sequence[int]) -> Condition:
        ids = [event_id for block in blocks for event_id in range(block * BLOCK_EVENTS, (block + 1) * BLOCK_EVENTS)]
        # If the planner sees a long list of ids, it reads the whole table. If it sees a subquery, it uses the index.
        return "(SELECT * FROM task_events WHERE event_id = ANY((SELECT ?::bigint[])::bigint[])) e", [ids]

    async def _index_size(self) -> int:
        return int((await self._rows("SELECT pg_total_relation_size('search_blocks')"))[0][0])


def _conditions(wanted: Wanted) -> Condition:
    found: list[str] = []
    values: list[object] = []
    if wanted.text:
        found.append(r" AND text LIKE ? ESCAPE '\'")
        values.append(pattern_of(wanted.text))
    for terms in wanted.terms:
        found.append(" AND terms && ?::text[]")
        values.append(list(terms))
    for condition, bound in ((" AND newest >= ?", wanted.since), (" AND oldest < ?", wanted.until)):
        if bound is not None:
            found.append(condition)
            values.append(bound)
    return "".join(found), values

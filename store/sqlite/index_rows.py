"""Reads of the search index in SQLite."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from signalbox.store.search.documents import BLOCK_EVENTS
from signalbox.store.sql.dialect import Condition
from signalbox.store.sql.searching.candidates import CandidateViews
from signalbox.store.sql.searching.comparison import Wanted
from signalbox.store.sqlite.text_index import SIZE


class SqliteIndexReads(CandidateViews):
    """Implements the reads of the index that depend on the kind of store."""

    async def _named_by_index(self, wanted: Wanted, low: int, high: int, limit: int, ascending: bool) -> list[int]:
        order = f"ORDER BY block {'ASC' if ascending else 'DESC'} LIMIT ?"
        times, time_values = _times(wanted)
        if not wanted.grams and not wanted.terms:
            sql = f"SELECT block FROM search_blocks WHERE block >= ? AND block < ?{times} {order}"
            return [block for (block,) in await self._rows(sql, low, high, *time_values, limit)]
        within = (
            f" AND rowid IN (SELECT block FROM search_blocks WHERE block = search_texts.rowid{times})" if times else ""
        )
        sql = f"SELECT rowid AS block FROM search_texts WHERE search_texts MATCH ? AND rowid >= ? AND rowid < ?{within}"
        rows = await self._rows(
            f"{sql} {order.replace('block', 'rowid')}", _match(wanted), low, high, *time_values, limit
        )
        return [block for (block,) in rows]

    def _events_of_blocks(self, blocks: Sequence[int]) -> Condition:
        first = f"SELECT value * {BLOCK_EVENTS} AS first FROM json_each(?)"
        # CROSS JOIN makes SQLite look up the events of each block.
        of_block = f"e.event_id >= first AND e.event_id < first + {BLOCK_EVENTS}"
        return f"({first}) CROSS JOIN task_events e ON {of_block}", [msgspec.json.encode(list(blocks)).decode()]

    async def _index_size(self) -> int:
        ((documents,),) = await self._rows("SELECT coalesce(sum(bytes), 0) FROM search_blocks")
        return int(documents) + int((await self._rows(SIZE))[0][0])


def _times(wanted: Wanted) -> Condition:
    bounds = ((" AND newest >= ?", wanted.since), (" AND oldest < ?", wanted.until))
    given = [(condition, value) for condition, value in bounds if value is not None]
    return "".join(condition for condition, _ in given), [value for _, value in given]


def _match(wanted: Wanted) -> str:
    """Return the expression of FTS5. Each piece is one term, so there are no phrases, which would need positions."""
    required = [_quoted(gram) for gram in wanted.grams]
    return " AND ".join([*required, *(f"({' OR '.join(map(_quoted, terms))})" for terms in wanted.terms)])


def _quoted(gram: str) -> str:
    return '"' + gram.replace('"', '""') + '"'

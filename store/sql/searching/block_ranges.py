"""The ranges of the log in which some tasks have events, for filters that the index does not know."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from itertools import pairwise

from signalbox.store.search import SearchQuery
from signalbox.store.search.documents import block_of
from signalbox.store.sql.dialect import Condition, one_of

MAX_TASKS = 1000
"""With more tasks than this, a search reads the log without looking for ranges."""

MAX_PARTS = 4
"""The most parts of the log that a search asks the index for one by one."""

_END = "(SELECT event_id FROM task_events e WHERE e.task_id = t.task_id ORDER BY seq {} LIMIT 1)"
_COLD = "(SELECT {} FROM cold_tasks c WHERE c.task_id = t.task_id)"

Range = tuple[int, int]
"""A range of blocks: the first one, and the one after the last."""


class BlockRanges:
    """Disjoint ranges of blocks, in order."""

    def __init__(self, ranges: Iterable[Range]) -> None:
        self._ranges: list[Range] = []
        for low, high in sorted(ranges):
            if self._ranges and low <= self._ranges[-1][1]:
                self._ranges[-1] = (self._ranges[-1][0], max(high, self._ranges[-1][1]))
            else:
                self._ranges.append((low, high))
        self._lows = [low for low, _ in self._ranges]

    def only(self, blocks: Sequence[int]) -> list[int]:
        """Return those of these blocks that are in a range."""
        return [block for block in blocks if self._has(block)]

    def parts(self) -> list[Range]:
        """Return at most `MAX_PARTS` ranges that cover these, in order. The widest gaps are left out."""
        gaps = [(after[0] - before[1], place) for place, (before, after) in enumerate(pairwise(self._ranges))]
        cuts = sorted(place for _, place in sorted(gaps, reverse=True)[: MAX_PARTS - 1])
        begins, ends = [0, *(place + 1 for place in cuts)], [*cuts, len(self._ranges) - 1]
        if not self._ranges:
            return []
        return [(self._ranges[begin][0], self._ranges[end][1]) for begin, end in zip(begins, ends, strict=True)]

    def _has(self, block: int) -> bool:
        place = bisect_right(self._lows, block) - 1
        return place >= 0 and block < self._ranges[place][1]


def block_ranges_sql(query: SearchQuery) -> Condition:
    """Return a query for the first and the last event id of each task that the filters of `query` allow.

    It returns no row for more than `MAX_TASKS` + 1 tasks.
    """
    conditions = [one_of("t.status", query.statuses)]
    if query.kind:
        conditions.append(("t.kind = ?", [query.kind]))
    if query.within is not None:
        conditions.append(one_of("t.project_id", query.within))
    first, last = (
        f"coalesce({_END.format(order)}, {_COLD.format(column)})"
        for order, column in (("ASC", "first_event_id"), ("DESC", "last_event_id"))
    )
    where = " AND ".join(condition for condition, _ in conditions)
    sql = f"SELECT {first}, {last} FROM (SELECT task_id FROM tasks t WHERE {where} LIMIT {MAX_TASKS + 1}) t"
    return sql, [value for _, values in conditions for value in values]


def block_ranges_of(rows: Sequence[tuple[int | None, int | None]]) -> BlockRanges | None:
    """Return the ranges of the rows of `block_ranges_sql`, or None if there are too many tasks."""
    if len(rows) > MAX_TASKS:
        return None
    return BlockRanges(
        (block_of(first), block_of(last) + 1) for first, last in rows if first is not None and last is not None
    )

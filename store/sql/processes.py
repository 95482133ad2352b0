"""The tables of running processes. Each kind of store has its own way to write a report."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from typing import Any

from signalbox.store.contract.processes import LIFETIME, CountKey, Processes, SharedCounts
from signalbox.store.sql.dialect import one_of

FORGET_AFTER = 60.0
"""Seconds after its last report when a process is deleted from the table."""

CLOCK_STEP = 1.0
"""Seconds by which a report may be in the future. A later one is from before the clock was set back."""


class ProcessTables(Processes):
    """The reads of `Processes`. `rows` returns the rows of one query, `now` is the time in seconds as SQL."""

    def __init__(self, rows: Callable[..., Awaitable[list[Any]]], now: str) -> None:
        self._rows = rows
        self._running = f"process_id <> ? AND seen_at BETWEEN {now} - {LIFETIME} AND {now} + {CLOCK_STEP}"

    async def others(self, process_id: str, kinds: Collection[str]) -> SharedCounts:
        among, values = one_of("kind", list(kinds))
        found = await self._rows(
            "SELECT process_id, kind, name, count FROM server_processes LEFT JOIN"
            f" (SELECT * FROM process_counts WHERE {among}) AS counts USING (process_id) WHERE {self._running}",
            *values,
            process_id,
        )
        counts: dict[CountKey, int] = {}
        for _, kind, name, count in found:
            if kind is not None:
                counts[kind, name] = counts.get((kind, name), 0) + count
        return SharedCounts(len({row[0] for row in found}), counts)

    async def count_of_others(self, process_id: str, key: CountKey) -> int:
        found = await self._rows(
            "SELECT coalesce(sum(count), 0) FROM process_counts JOIN server_processes USING (process_id)"
            f" WHERE kind = ? AND name = ? AND {self._running}",
            *key,
            process_id,
        )
        return int(found[0][0])

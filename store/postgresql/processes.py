"""The running processes of a PostgreSQL database.

A report takes no write lock and does not move the position of the log, so no append waits for it, and followers of the
log have nothing to read. It is one statement on a connection of the pool.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from signalbox.store.contract import Watch
from signalbox.store.contract.processes import CountKey
from signalbox.store.sql.processes import CLOCK_STEP, FORGET_AFTER, ProcessTables

NOW = "extract(epoch FROM clock_timestamp())::double precision"

_REPORT = f"""
WITH forgotten AS (
  DELETE FROM server_processes
  WHERE process_id <> ? AND seen_at NOT BETWEEN {NOW} - {FORGET_AFTER} AND {NOW} + {CLOCK_STEP}
), seen AS (
  INSERT INTO server_processes (process_id, seen_at) VALUES (?, {NOW})
  ON CONFLICT (process_id) DO UPDATE SET seen_at = excluded.seen_at
), given AS (
  SELECT * FROM unnest(?::text[], ?::text[], ?::bigint[]) AS given (kind, name, count)
), removed AS (
  DELETE FROM process_counts WHERE process_id = ? AND CASE WHEN ?::boolean
    THEN (kind, name) NOT IN (SELECT kind, name FROM given WHERE count <> 0)
    ELSE (kind, name) IN (SELECT kind, name FROM given WHERE count = 0)
  END
), written AS (
  INSERT INTO process_counts (process_id, kind, name, count)
  SELECT ?, kind, name, count FROM given WHERE count <> 0
  ON CONFLICT (process_id, kind, name) DO UPDATE SET count = excluded.count
)
SELECT
"""
"""No row is in two of the parts, because all parts of a statement see the tables as they were before it."""


class PostgresProcesses(ProcessTables):
    """Implements `Processes`. `announce` wakes the other processes, and `bus_watch` is called when they do so."""

    def __init__(
        self,
        rows: Callable[..., Awaitable[list[Any]]],
        announce: Callable[[], None],
        bus_watch: Callable[[Callable[[], None]], Watch | None],
    ) -> None:
        super().__init__(rows, NOW)
        self._announce = announce
        self._bus_watch = bus_watch

    async def report(self, process_id: str, counts: Mapping[CountKey, int], *, complete: bool = False) -> None:
        kinds, names = [key[0] for key in counts], [key[1] for key in counts]
        values = (process_id, process_id, kinds, names, list(counts.values()), process_id, complete, process_id)
        await self._rows(_REPORT, *values)
        self._announce()

    async def remove(self, process_id: str) -> None:
        await self._rows("DELETE FROM server_processes WHERE process_id = ? RETURNING 1", process_id)
        self._announce()

    def watch(self, callback: Callable[[], None]) -> Watch | None:
        return self._bus_watch(callback)

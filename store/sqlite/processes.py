"""The running processes of a SQLite file. A report is a commit, so the other processes notice it at once."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from signalbox.store.contract import Watch
from signalbox.store.contract.processes import CountKey
from signalbox.store.sql.database import Database
from signalbox.store.sql.group_commit import Calls
from signalbox.store.sql.processes import CLOCK_STEP, FORGET_AFTER, ProcessTables
from signalbox.store.sqlite import compression
from signalbox.store.sqlite.database import SqliteDatabase

NOW = "(julianday('now') - 2440587.5) * 86400.0"
"""The time in seconds since 1970. `unixepoch('subsec')` needs SQLite 3.42."""

_OLDEST, _NEWEST = f"{NOW} - {FORGET_AFTER}", f"{NOW} + {CLOCK_STEP}"


class SqliteProcesses(ProcessTables):
    """Implements `Processes` with the writer of a file."""

    def __init__(self, calls: Calls, rows: Callable[..., Awaitable[list[Any]]]) -> None:
        super().__init__(rows, NOW)
        self._calls = calls

    async def report(self, process_id: str, counts: Mapping[CountKey, int], *, complete: bool = False) -> None:
        compressing = await self._calls.write(lambda db: _report(db, process_id, counts, complete), quiet=True)
        if compressing is not None:
            compressing.compresses = True

    async def remove(self, process_id: str) -> None:
        delete = "DELETE FROM server_processes WHERE process_id = ?"
        await self._calls.write(lambda db: db.execute(delete, (process_id,)), quiet=True)

    def watch(self, callback: Callable[[], None]) -> Watch | None:
        return None


def _report(db: Database, process_id: str, counts: Mapping[CountKey, int], complete: bool) -> SqliteDatabase | None:
    """Write a report. Return the connection if it may compress payloads once this is committed."""
    # Foreign keys delete the counts of a deleted process.
    db.execute(f"DELETE FROM server_processes WHERE seen_at NOT BETWEEN {_OLDEST} AND {_NEWEST}")
    db.execute(
        f"INSERT INTO server_processes (process_id, seen_at, reads_compressed) VALUES (?, {NOW}, 1)"
        " ON CONFLICT (process_id) DO UPDATE SET seen_at = excluded.seen_at",
        (process_id,),
    )
    begun = isinstance(db, SqliteDatabase) and not db.compresses and compression.begin_inside(db)
    if complete:
        db.execute("DELETE FROM process_counts WHERE process_id = ?", (process_id,))
    else:
        removed = [(process_id, *key) for key, count in counts.items() if not count]
        db.executemany("DELETE FROM process_counts WHERE process_id = ? AND kind = ? AND name = ?", removed)
    db.executemany(
        "INSERT INTO process_counts (process_id, kind, name, count) VALUES (?, ?, ?, ?)"
        " ON CONFLICT (process_id, kind, name) DO UPDATE SET count = excluded.count",
        [(process_id, *key, count) for key, count in counts.items() if count],
    )
    return db if begun and isinstance(db, SqliteDatabase) else None

"""A scratch table for searches: the columns of one block that a condition names, without indexes.

A block in the temporary database of its file costs several times as much, because it has all columns and an index.
"""

from __future__ import annotations

import re
import sqlite3
import threading
from collections.abc import Sequence

from signalbox.store.cold.file import ColdFile
from signalbox.store.moving.tables import EVENTS
from signalbox.store.sqlite.migrations import empty_database
from signalbox.store.sqlite.payloads import add_functions

_COMPUTED = re.compile(r"failure INTEGER GENERATED ALWAYS AS \(.*?\n\) VIRTUAL", re.DOTALL)
"""The column that SQLite computes, in the statement that created the table."""

_COMPUTED_FROM = ("event_type", "payload")
"""The columns from which SQLite computes `failure`."""


class ScratchTable:
    """Evaluates conditions on the events of single blocks. All methods block, and any thread may call them."""

    def __init__(self, file: ColdFile) -> None:
        self._file = file
        self._lock = threading.Lock()
        self._database: sqlite3.Connection | None = None

    def seqs(self, block: int, where: str, values: Sequence[object]) -> list[int]:
        """Return the seqs of the events of a block that fulfil a condition on `task_events`, by seq."""
        words = set(re.findall(r"\w+", where))
        if "failure" in words:
            words.update(_COMPUTED_FROM)
        read = [name for name in self._file.footer.columns if name in words or name in ("task_id", "seq")]
        rows = self._file.block_rows(block, read)
        insert = f"INSERT INTO task_events ({', '.join(read)}) VALUES ({', '.join('?' * len(read))})"
        with self._lock:
            if self._database is None:
                self._database = _empty_table()
            database = self._database
            database.execute("BEGIN")
            try:
                database.executemany(insert, rows)
                found = database.execute(f"SELECT seq FROM task_events WHERE {where} ORDER BY seq", values).fetchall()
            finally:
                database.execute("ROLLBACK")
        return [seq for (seq,) in found]

    def close(self) -> None:
        """Close the table."""
        with self._lock:
            if self._database is not None:
                self._database.close()
                self._database = None


def _empty_table() -> sqlite3.Connection:
    """Return a database with `task_events` without its constraints: checking them takes longer than the insertion."""
    empty = empty_database()
    (table,) = empty.execute("SELECT sql FROM sqlite_master WHERE name = 'task_events'").fetchone()
    empty.close()
    failure = _COMPUTED.search(table)
    assert failure is not None, "the table computes `failure`"
    database = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
    add_functions(database)
    database.execute(f"CREATE TABLE task_events ({', '.join(EVENTS.names)}, {failure[0]})")
    return database

"""A cold file that is being read: its image, and the blocks that reads need, in a temporary SQLite database."""

from __future__ import annotations

import sqlite3
import threading
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from signalbox.store.cold.errors import ColdFileUnreadable
from signalbox.store.cold.file import ColdFile
from signalbox.store.cold.index import BlockIndex
from signalbox.store.cold.scratch import ScratchTable
from signalbox.store.cold.states import complete
from signalbox.store.contract import LogQuery
from signalbox.store.errors import ColdFileDamaged
from signalbox.store.moving.tables import EVENTS
from signalbox.store.sqlite.damaged import is_damage
from signalbox.store.state import TaskState

MAX_BYTES = 64 * 1024 * 1024
"""Bytes of events of one file that are kept. The events that a read needs are kept until it ends."""

_COLUMNS = tuple(name for name in EVENTS.names if name != "link")
"""Links are not loaded, because computing them takes as long as all other columns. `ColdView.links` returns them."""

_INSERT = f"INSERT INTO task_events ({', '.join(_COLUMNS)}) VALUES ({', '.join('?' * len(_COLUMNS))})"
_DELETE = "DELETE FROM task_events WHERE task_id = ? AND seq BETWEEN ? AND ?"
_PAYLOAD = _COLUMNS.index("payload")
_ROW_BYTES = 300
"""About what a row needs beside its payload."""


class CachedFile:
    """The temporary database of one cold file. Its tables are those of a store, so the views of a store read them.

    All methods block, and any thread may call them. A block is read and decoded once for all readers that need it.
    """

    def __init__(self, file: ColdFile) -> None:
        self.file, self.index = file, BlockIndex(file.footer)
        self.users, self.dropped = 0, False
        """The readers of the file now, and whether the file was replaced or is no longer kept."""
        self.bytes = 0
        """The size of the temporary database."""
        self._database: sqlite3.Connection | None = None
        self.scratch = ScratchTable(file)
        """Answers searches in blocks that are not loaded."""
        self._lock = threading.RLock()
        self._loading = threading.Lock()
        self.searches: OrderedDict[tuple[LogQuery, tuple[int, ...]], Sequence[int]] = OrderedDict()
        """The seqs that the last searches found."""
        self._loaded: OrderedDict[int, int] = OrderedDict()
        self._pins: dict[int, int] = {}

    @property
    def task_id(self) -> str:
        """The task of the file."""
        return self.file.footer.task_id

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Yield the database. Raises ColdFileDamaged and ColdFileUnreadable in place of the errors of SQLite.

        The first reader fetches the image. Reads of events by their seqs do not need it.
        """
        try:
            with self._lock:
                if self._database is None:
                    self._database = self.file.open_image()
                    self._measure(self._database)
                yield self._database
        except sqlite3.DatabaseError as error:
            if is_damage(error):
                raise ColdFileDamaged(self.file.name, "the image", f"cannot be read: {error}") from error
            raise ColdFileUnreadable(f"the cold file {self.file.name} cannot be read: {error}") from error

    def rows(self, sql: str, values: Sequence[object]) -> list[Any]:
        """Return the rows of one query."""
        with self.reading() as database:
            return database.execute(sql, values).fetchall()

    def state(self, seq: int, after: int = 0) -> TaskState | None:
        """Return the last state up to a seq that is stored, or None if there is none after the seq `after`."""
        state = self.file.state(seq, after)
        if state is not None and self.file.has_partial_states:
            with self.reading() as database:
                complete(state, database)
        return state

    # blocks

    def pin(self, blocks: Iterable[int]) -> None:
        """Load these blocks, and keep them until `unpin` is called with the same blocks."""
        wanted = list(blocks)
        with self._lock:
            for number in wanted:
                self._pins[number] = self._pins.get(number, 0) + 1
        try:
            if not self._are_loaded(wanted):
                # A second reader of the same block waits here and then finds it.
                with self._loading:
                    for number in wanted:
                        self._load(number)
        except BaseException:
            self.unpin(wanted)
            raise

    def unpin(self, blocks: Iterable[int]) -> None:
        """Allow to drop these blocks."""
        with self._lock:
            for number in blocks:
                self._pins[number] -= 1
                if not self._pins[number]:
                    del self._pins[number]

    def is_loaded(self, number: int) -> bool:
        """Return whether a block is loaded."""
        return number in self._loaded

    def _are_loaded(self, blocks: Sequence[int]) -> bool:
        with self._lock:
            for number in blocks:
                if number not in self._loaded:
                    return False
                self._loaded.move_to_end(number)
            return True

    def _load(self, number: int) -> None:
        if self._are_loaded([number]):
            return
        rows = self.file.block_rows(number, _COLUMNS)
        with self.reading() as database:
            size = sum(len(row[_PAYLOAD]) for row in rows) + _ROW_BYTES * len(rows)
            database.execute("BEGIN")
            try:
                dropped = self._make_room(database, size)
                database.executemany(_INSERT, rows)
                database.execute("COMMIT")
            except BaseException:
                # SQLite ends a transaction itself when the disk is full.
                if database.in_transaction:
                    database.execute("ROLLBACK")
                raise
            for gone in dropped:
                del self._loaded[gone]
            self._loaded[number] = size
            self._measure(database)

    def _measure(self, database: sqlite3.Connection) -> None:
        (pages,) = database.execute("PRAGMA page_count").fetchone()
        (page,) = database.execute("PRAGMA page_size").fetchone()
        self.bytes = pages * page

    def _make_room(self, database: sqlite3.Connection, size: int) -> list[int]:
        """Delete the rows of blocks that no reader needs. Return their numbers."""
        kept, dropped = sum(self._loaded.values()), list[int]()
        for number, loaded in self._loaded.items():
            if kept + size <= MAX_BYTES:
                break
            if number not in self._pins:
                block = self.index.blocks[number]
                database.execute(_DELETE, (self.task_id, block.first_seq, block.last_seq))
                kept -= loaded
                dropped.append(number)
        return dropped

    def close(self) -> None:
        """Close the database, which deletes it."""
        with self._lock:
            if self._database is not None:
                self._database.close()
        self.scratch.close()
        self.file.close()

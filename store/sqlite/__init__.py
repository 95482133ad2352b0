"""The embedded store, which is the default: one SQLite file, one writer per process, read-only readers."""

from __future__ import annotations

import logging
import weakref
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, suppress
from pathlib import Path

from signalbox.store.chain.keys import StoreKey
from signalbox.store.contract import Reading, StoreStats, Watch
from signalbox.store.errors import InvalidEvent, StoreError, StoreUnavailable
from signalbox.store.sql.cold_reading import routed
from signalbox.store.sql.database import Database
from signalbox.store.sql.database_store import DatabaseStore
from signalbox.store.sql.people import PeopleTables
from signalbox.store.sql.raw_rows import RawRows
from signalbox.store.sql.space import SpaceTables
from signalbox.store.sqlite.checkpoints import empty_log, shorten_log
from signalbox.store.sqlite.connection import create_private, open_for_writing, private
from signalbox.store.sqlite.database import SqliteDatabase
from signalbox.store.sqlite.file import DatabaseFile
from signalbox.store.sqlite.forks import gate, hold_while_forking
from signalbox.store.sqlite.free_pages import return_pages
from signalbox.store.sqlite.peek import SqlitePeek
from signalbox.store.sqlite.processes import SqliteProcesses
from signalbox.store.sqlite.readers import Readers
from signalbox.store.sqlite.reopening import Reopening
from signalbox.store.sqlite.saving import close, save
from signalbox.store.sqlite.views import SQLITE
from signalbox.store.sqlite.watching import FileWatches
from signalbox.store.sqlite.writer import SqliteWriter

MIN_FREE_BYTES = 65_536
"""A disk counts as full until this many bytes can be written."""

log = logging.getLogger("signalbox.store")


class SqliteStore(DatabaseStore):
    """Implements `Store` for one SQLite file. See `store.contract`."""

    _writer: SqliteWriter

    def __init__(self, path: Path, url: str, *, synchronous: str = "NORMAL") -> None:
        if synchronous not in ("NORMAL", "FULL"):
            raise InvalidEvent("synchronous must be NORMAL or FULL", "synchronous")
        if not path.parent.is_dir():
            raise StoreUnavailable(f"there is no directory {path.parent} for the database", retry_after=30)
        self.url = url
        self.path = path
        create_private(path)
        self._file = DatabaseFile(path)
        with gate:
            connection, facts = open_for_writing(path, synchronous)
            self._file.opened()
        self.epoch, self._key = facts["epoch"], bytes.fromhex(facts["key"])
        self._reopening = Reopening(self._file, synchronous)
        self._watches = FileWatches()
        super().__init__(SqliteWriter(connection, self._file, self._reopen, self._committed, self._watches))
        self._readers = Readers(self._file)
        self._peeks: weakref.WeakSet[SqlitePeek] = weakref.WeakSet()
        self.raw_rows = RawRows(self._readers.rows, SQLITE)
        self.people = PeopleTables(self._calls, self._readers.rows)
        self.processes = SqliteProcesses(self._calls, self._readers.rows)
        self.space = SpaceTables(self._calls, return_pages, lambda file: self.cold_files.delete_file(file))
        hold_while_forking(self)

    @property
    def key(self) -> bytes | None:
        return self._key if private(self.path) else None

    @property
    def log_key(self) -> StoreKey:
        return StoreKey(self._key)

    # reading and following

    def read(self) -> AbstractAsyncContextManager[Reading]:
        return routed(self._readers.view(), self.cold_readers)

    def glance(self) -> AbstractAsyncContextManager[Reading]:
        return routed(self._readers.view(consistent=False), self.cold_readers, consistent=False)

    def peek(self) -> SqlitePeek:
        peek = SqlitePeek(self._file)
        self._peeks.add(peek)
        return peek

    def watch(self, callback: Callable[[], None]) -> Watch | None:
        # Every commit of every process writes to the write-ahead log.
        return self._watches.add(self.path.with_name(self.path.name + "-wal"), callback)

    def stats(self) -> StoreStats:
        return StoreStats(self._writer.queued, self._writer.commits, self._readers.held_views)

    def _forget_erased(self) -> None:
        # Pages of the write-ahead log still have the erased rows. If a reader needs them, a later checkpoint follows.
        empty_log(self.path)

    # the file

    @property
    def generation(self) -> int:
        return self._file.generation

    @property
    def problems(self) -> list[tuple[str, str]]:
        return self._file.problems

    async def acheck(self) -> None:
        await self._calls.off_the_loop(self._check)

    def _check(self) -> None:
        if not self._file.compare() or not self._file.check_content():
            self._writer.reopen()
        elif self._file.full:
            with suppress(StoreError):
                self._writer.run(_reserve_space)
                self._writer.run(_release_space)
        else:
            shorten_log(self.path)

    def _reopen(self, lost: SqliteDatabase) -> SqliteDatabase:
        """Open the database that is now at the path. Raises StoreError. The writer's lock must be held."""
        if not self._reopening.is_due():
            raise self._file.error()
        self._file.close()
        save(lost, self._file)
        self._committed()  # this wakes the followers of the log, which then close their connections
        if not self._readers.release() or any(peek.is_open for peek in self._peeks):
            raise self._file.error()
        if not self._file.saved and self._file.is_absent():
            # Its file may return, and needs the rest of its write-ahead log, which another process reads.
            raise self._file.error()
        close(lost)
        found = self._reopening.open(self.epoch)
        self.epoch, self._key = found.epoch, bytes.fromhex(found.key)
        log.warning("the database %s was opened again; its epoch is %s", self.path, self.epoch)
        return found.connection

    # forks: see `store.sqlite.forks`

    def hold(self, timeout: float) -> bool:
        """Keep other threads from writing until `let_go`. Returns False if that fails within `timeout` seconds."""
        return self._writer.hold(timeout)

    def let_go(self) -> None:
        """Undo `hold`."""
        self._writer.let_go()

    def after_fork(self) -> None:
        """Forget what belongs to the parent process. The child opens connections of its own when it needs them."""
        self._file.after_fork()
        self._writer.after_fork()
        self._readers.after_fork()
        for peek in list(self._peeks):
            peek.after_fork()

    # closing

    async def aclose(self) -> None:
        await self._calls.off_the_loop(self._close_writer)
        if self.cold_readers is not None:
            self.cold_readers.close()
        if self._calls.blocking:
            self._readers.stop()
        else:
            await self._readers.close()

    def _close_writer(self) -> None:
        self._calls.close()
        self._file.close()
        self._writer.close()


def _reserve_space(db: Database) -> None:
    db.execute("INSERT OR REPLACE INTO store_facts VALUES ('room', zeroblob(?))", (MIN_FREE_BYTES,))


def _release_space(db: Database) -> None:
    db.execute("DELETE FROM store_facts WHERE name = 'room'")

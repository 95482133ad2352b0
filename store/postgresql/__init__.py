"""The store in a PostgreSQL database, for any number of processes and machines."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, suppress
from functools import partial

import psycopg

from signalbox.store.bus import Bus
from signalbox.store.chain.keys import StoreKey
from signalbox.store.contract import Fence, Reading, StoreStats, Watch
from signalbox.store.errors import StoreError, StoreIncomplete, StoreMoved
from signalbox.store.postgresql.connection import WRITER_PATIENCE, Address
from signalbox.store.postgresql.dialect import POSTGRESQL
from signalbox.store.postgresql.errors import translated_errors
from signalbox.store.postgresql.migrations import facts_in, facts_of, migrate
from signalbox.store.postgresql.peek import PostgresPeek
from signalbox.store.postgresql.pool import Pool
from signalbox.store.postgresql.processes import PostgresProcesses
from signalbox.store.postgresql.readers import PostgresReaders
from signalbox.store.postgresql.text_index import SORT_IN, SORT_INTERVAL
from signalbox.store.postgresql.wake_ups import BUS_UNAVAILABLE, transport_of
from signalbox.store.postgresql.writer import PostgresWriter
from signalbox.store.sql.cold_reading import routed
from signalbox.store.sql.database_store import DatabaseStore
from signalbox.store.sql.moved import MOVED, refuse_moved
from signalbox.store.sql.people import PeopleTables
from signalbox.store.sql.raw_rows import RawRows
from signalbox.store.sql.refold import refold
from signalbox.store.sql.space import SpaceTables

log = logging.getLogger("signalbox.store")


class PostgresStore(DatabaseStore):
    """Implements `Store` for one PostgreSQL database. See `store.contract`."""

    _writer: PostgresWriter

    def __init__(self, url: str, *, bus: str | None = None) -> None:
        self.url, self.bus_url = url, bus
        self._address = Address(url)
        self._generation = 0
        self._sorted_at = 0.0
        self._fault: StoreError | None = None
        self._to_fold: list[str] = []
        super().__init__(PostgresWriter(self._open(), self._open, self._committed, several=self._address.several_hosts))
        try:
            self._bus, self._process = Bus(transport_of(bus, self._address, self._key)), os.getpid()
        except StoreError:
            self._writer.close()
            raise
        self._generation_of_bus = self._generation
        self._writer.check(self.epoch)
        self._pool = Pool(self._address, self._refuse_moved, lambda: self._generation)
        self._readers = PostgresReaders(self._pool)
        self.raw_rows = RawRows(self._readers.rows, POSTGRESQL)
        self.people = PeopleTables(self._calls, self._readers.rows)
        # The server's autovacuum makes the space of deleted rows usable again.
        self.space = SpaceTables(self._calls, lambda db: False, lambda file: self.cold_files.delete_file(file))
        self.processes = PostgresProcesses(self._readers.rows, lambda: self._own_bus().committed(), self.watch)
        for task_id in self._to_fold:
            self._writer.run(partial(refold, task_id=task_id))

    def _open(self) -> psycopg.Connection:
        """Open a connection for writing to the migrated database. Raises StoreError."""
        try:
            connection = self._address.connect()
            try:
                with translated_errors():
                    refuse_moved(facts_in(connection))
                    migrate(connection)
                    connection.patience = WRITER_PATIENCE
                    self._to_fold = [row[0] for row in connection.execute("SELECT task_id FROM tasks_to_fold")]
                    facts = facts_of(connection)
            except BaseException:
                connection.close()
                raise
        except StoreError as error:
            self._fault = error
            raise
        self._fault = None
        if self._generation == 0 or facts["epoch"] != self.epoch:
            # A restored copy, or another database at the same address.
            self.epoch, self._key = facts["epoch"], bytes.fromhex(facts["key"])
            self._generation += 1
        return connection

    def _refuse_moved(self) -> None:
        """Raise StoreMoved or StoreIncomplete if a move of the database was noticed that does not allow to use it."""
        if isinstance(self._fault, StoreMoved):
            raise StoreMoved(self._fault.url)
        if isinstance(self._fault, StoreIncomplete):
            raise StoreIncomplete(str(self._fault))

    @property
    def key(self) -> bytes | None:
        return self._key

    @property
    def log_key(self) -> StoreKey:
        return StoreKey(self._key)

    async def atidy_index(self, fence: Fence) -> bool:
        # Not in a transaction of the writer, because that would hold the write lock for long.
        if time.monotonic() - self._sorted_at > SORT_INTERVAL:
            await self.raw_rows.rows(SORT_IN)
            self._sorted_at = time.monotonic()
        return False

    # reading and following

    def read(self) -> AbstractAsyncContextManager[Reading]:
        return routed(self._readers.view(), self.cold_readers)

    def glance(self) -> AbstractAsyncContextManager[Reading]:
        return routed(self._readers.view(consistent=False), self.cold_readers, consistent=False)

    def peek(self) -> PostgresPeek:
        return PostgresPeek(self._address, self._refuse_moved, lambda: self._generation)

    def watch(self, callback: Callable[[], None]) -> Watch | None:
        return self._own_bus().watch(callback)

    def _committed(self) -> None:
        super()._committed()
        self._own_bus().committed()

    def _own_bus(self) -> Bus:
        """Return the bus of this process and of the present database.

        A forked process must not use or close its parent's connections.
        """
        generation = self._generation
        if self._process != os.getpid():
            transport = transport_of(self.bus_url, self._address, self._key)
            self._bus_of_parent, self._bus = self._bus, Bus(transport)
            self._process, self._generation_of_bus = os.getpid(), generation
        elif self._generation_of_bus != generation:
            self._generation_of_bus = generation
            self._bus.use(transport_of(self.bus_url, self._address, self._key))
        return self._bus

    # state

    def stats(self) -> StoreStats:
        return StoreStats(self._writer.queued, self._writer.commits, self._pool.lent)

    @property
    def generation(self) -> int:
        return self._generation

    @property
    def clock_offset(self) -> float:
        return self._writer.clock_offset

    @property
    def problems(self) -> list[tuple[str, str]]:
        if isinstance(self._fault, StoreMoved):
            return [MOVED]
        found = [("store_lost", "the database cannot be reached or used")] if self._fault is not None else []
        if self._writer.full:
            found.append(("disk_full", "there is no room on the disk of the database server"))
        if self._writer.read_only:
            found.append(("read_only", "the database accepts only reads"))
        return found

    @property
    def warnings(self) -> list[tuple[str, str]]:
        return [] if self._bus.working else [BUS_UNAVAILABLE]

    async def acheck(self) -> None:
        await self._calls.off_the_loop(self._check)

    def _check(self) -> None:
        epoch, generation = self.epoch, self._generation
        with suppress(StoreError):
            self._writer.check(epoch)
            if self._writer.full:
                self._writer.run(lambda db: None)
        if self._generation != generation:
            log.warning("the database was replaced; its epoch is %s", self.epoch)
            self._committed()  # this wakes the followers of the log

    async def aclose(self) -> None:
        await self._calls.off_the_loop(self._close_writer)
        if self.cold_readers is not None:
            self.cold_readers.close()
        if self._calls.blocking:
            self._pool.stop()
        else:
            await self._pool.close()

    def _close_writer(self) -> None:
        self._calls.close()
        self._writer.close()
        self._own_bus().close()

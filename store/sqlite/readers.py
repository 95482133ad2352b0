"""Read-only connections, lent to one view each: one transaction, so that all its answers agree."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
import time
import weakref
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from contextvars import ContextVar
from typing import Any

import aiosqlite

from signalbox.store.errors import NestedView, StoreClosed, StoreDamaged, StoreUnavailable
from signalbox.store.sqlite.brief import signalbox_brief
from signalbox.store.sqlite.connection import BUSY_TIMEOUT, is_broken, translated_errors, uri
from signalbox.store.sqlite.file import DatabaseFile
from signalbox.store.sqlite.views import View

MAX_READERS = 8
"""Connections of one process; a ninth view waits."""

PATIENCE = 10.0
"""Seconds that a view waits for a connection before it is told StoreUnavailable."""

LAST_PATIENCE = 0.5
"""Seconds that the end of a pool or of its event loop waits for the thread of a connection."""


async def _end(connection: aiosqlite.Connection, interrupted: bool) -> None:
    """End what the connection is doing. What it is asked may still wait for its thread: so interrupt repeatedly."""
    ended = asyncio.ensure_future(connection.rollback())
    try:
        while interrupted and not ended.done():
            await connection.interrupt()
            await asyncio.wait({ended}, timeout=0.02)
        await ended
    finally:
        if not ended.done():
            await connection.interrupt()


def _join(connection: aiosqlite.Connection) -> None:
    """Wait for the thread of a connection that was stopped, and interrupt what it is still doing."""
    until = time.monotonic() + LAST_PATIENCE
    while connection._thread.is_alive() and time.monotonic() < until:
        with suppress(sqlite3.Error, ValueError):
            connection._conn.interrupt()
        connection._thread.join(0.005)


class Lease:
    """That a view is held, and by whose connections it is served.

    `handed_on` says that its place in the pool is given back by what goes on after it: an opening or a rollback.
    """

    __slots__ = ("handed_on", "held", "outer", "readers")

    def __init__(self, readers: Readers, outer: Lease | None) -> None:
        self.readers = readers
        self.outer = outer
        self.held = True
        self.handed_on = False

    def nests(self, readers: Readers) -> bool:
        """Whether a view of these connections is held here."""
        return (self.held and self.readers is readers) or (self.outer is not None and self.outer.nests(readers))


_LEASE: ContextVar[Lease | None] = ContextVar("lease", default=None)


class Readers:
    """A pool of read-only connections to one file. A connection is closed early only if it is broken."""

    def __init__(self, file: DatabaseFile) -> None:
        self._file = file
        self._idle: list[aiosqlite.Connection] = []
        self._lent: dict[aiosqlite.Connection, int] = {}
        self._stopping: set[threading.Thread] = set()
        self._closed = False
        self._mending: set[asyncio.Task[None]] = set()
        self._limits: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore] = (
            weakref.WeakKeyDictionary()
        )

    @property
    def lent(self) -> int:
        """How many views are held."""
        return len(self._lent)

    @asynccontextmanager
    async def view(self, *, consistent: bool = True) -> AsyncIterator[View]:
        """A view of the database; if `consistent`, all its answers are of one moment.

        Raises NestedView if a view is held already: all connections could be held by callers that wait for another.
        """
        if self._closed:
            raise StoreClosed("the store is closed")
        outer = _LEASE.get()
        if outer is not None and not outer.held:
            outer = None
        if outer is not None and outer.nests(self):
            raise NestedView("a view was requested while one is held")
        limit = await self._admitted()
        connection: aiosqlite.Connection | None = None
        lease = Lease(self, outer)
        try:
            with translated_errors():
                connection = await self._lend(lease, limit)
                _LEASE.set(lease)
                if consistent:
                    await connection.execute_fetchall("BEGIN")
                view = View(connection)
                yield view
                if view.damage is not None:
                    self._file.note(view.damage)
                if consistent:
                    # SQLite does not commit after it met damage.
                    await connection.execute_fetchall("COMMIT" if view.damage is None else "ROLLBACK")
        except BaseException as error:
            self._file.note(error)
            if connection is not None:
                lease.handed_on = True
                self._mend(connection, limit, interrupted=not isinstance(error, Exception), broken=is_broken(error))
            if isinstance(error, StoreDamaged) and self._file.lost is not None:
                raise self._file.error() from error
            raise
        finally:
            lease.held = False
            _LEASE.set(outer)
            if not lease.handed_on:
                if connection is not None:
                    self._give_back(connection)
                limit.release()

    async def _admitted(self) -> asyncio.Semaphore:
        """The semaphore of this loop, acquired."""
        limit = self._limits.setdefault(asyncio.get_running_loop(), asyncio.Semaphore(MAX_READERS))
        if not limit.locked():
            await limit.acquire()
            return limit
        try:
            async with asyncio.timeout(PATIENCE):
                await limit.acquire()
        except TimeoutError:
            raise StoreUnavailable(f"all {MAX_READERS} connections for reading are in use") from None
        return limit

    async def _lend(self, lease: Lease, limit: asyncio.Semaphore) -> aiosqlite.Connection:
        if self._file.lost is not None:
            raise self._file.error()
        generation = self._file.generation
        connection = self._idle.pop() if self._idle else await self._open(lease, limit)
        self._lent[connection] = generation
        return connection

    async def _open(self, lease: Lease, limit: asyncio.Semaphore) -> aiosqlite.Connection:
        opening, generation = asyncio.ensure_future(self._connect()), self._file.generation
        try:
            return await asyncio.shield(opening)
        except asyncio.CancelledError:
            # Not to be cancelled half-way: aiosqlite's thread would answer into a loop that is gone.
            lease.handed_on = True
            opening.add_done_callback(lambda opened: self._adopt(opened, generation, limit))
            raise

    async def _connect(self) -> aiosqlite.Connection:
        connection = await aiosqlite.connect(
            uri(self._file.path, read_only=True), uri=True, timeout=BUSY_TIMEOUT, isolation_level=None
        )
        try:
            await connection.create_function("signalbox_brief", 1, signalbox_brief, deterministic=True)
        except BaseException:
            connection.stop()
            raise
        return connection

    def _adopt(self, opening: asyncio.Task[aiosqlite.Connection], generation: int, limit: asyncio.Semaphore) -> None:
        if not opening.cancelled() and opening.exception() is None:
            self._lent[opening.result()] = generation
            self._give_back(opening.result())
        limit.release()

    def _give_back(self, connection: aiosqlite.Connection) -> None:
        generation = self._lent.pop(connection, -1)
        if self._closed or self._file.lost is not None or generation != self._file.generation:
            self._stop(connection)
        else:
            self._idle.append(connection)

    def _stop(self, connection: aiosqlite.Connection) -> None:
        """Close a connection in its own thread."""
        self._stopping = {thread for thread in self._stopping if thread.is_alive()}
        self._stopping.add(connection._thread)
        connection.stop()
        self._lent.pop(connection, None)

    def let_go(self) -> bool:
        """Close what is idle; whether every connection is closed now. For a file that is lost: nothing is lent then."""
        while self._idle:
            self._stop(self._idle.pop())
        for thread in self._stopping:
            thread.join(LAST_PATIENCE)
        return not self._lent and not any(thread.is_alive() for thread in self._stopping)

    def _mend(
        self, connection: aiosqlite.Connection, limit: asyncio.Semaphore, *, interrupted: bool, broken: bool
    ) -> None:
        """End the transaction of a view that failed, while nobody waits for it; then its connection is free again."""
        if broken:
            self._stop(connection)
            limit.release()
            return

        def mended(task: asyncio.Task[None]) -> None:
            self._mending.discard(task)
            if task.cancelled():
                # The loop ends. The thread still answers into it, which must be before it is closed.
                self._stop(connection)
                _join(connection)
            elif isinstance(task.exception(), (sqlite3.Error, ValueError)):
                self._stop(connection)
            else:
                self._give_back(connection)
            limit.release()

        task = asyncio.create_task(_end(connection, interrupted), name="signalbox-reader")
        self._mending.add(task)
        task.add_done_callback(mended)

    async def rows(self, sql: str, *values: object) -> list[Any]:
        """The rows of one question."""
        async with self.view(consistent=False) as view:
            return await view._rows(sql, *values)

    async def close(self) -> None:
        """Close all idle connections; borrowed ones close when they come back."""
        self._closed = True
        loop = asyncio.get_running_loop()
        if mending := {task for task in self._mending if task.get_loop() is loop}:
            await asyncio.wait(mending, timeout=LAST_PATIENCE)
        while self._idle:
            await self._idle.pop().close()
        for thread in self._stopping:
            thread.join(LAST_PATIENCE)

    def stop(self) -> None:
        """`close` for callers without a loop."""
        self._closed = True
        while self._idle:
            self._idle.pop().stop()

"""The pool of read-only connections. Each view holds one in a transaction, so that all its reads are consistent."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import aiosqlite
from aiosqlite.core import _STOP_RUNNING_SENTINEL

from signalbox.store.errors import StoreClosed
from signalbox.store.held_views import HeldView, ViewLimit
from signalbox.store.sql.views.cold import ANY_COLD
from signalbox.store.sqlite.connection import BUSY_TIMEOUT, is_broken, translated_errors
from signalbox.store.sqlite.file import DatabaseFile
from signalbox.store.sqlite.file_uri import uri
from signalbox.store.sqlite.forks import SqliteConnection, park_while_forking
from signalbox.store.sqlite.payloads import Functions
from signalbox.store.sqlite.views import View

MAX_READERS = 8
"""Connections per event loop. A ninth view waits."""

CACHE_KB = 8192
"""Kilobytes of pages that each connection keeps at most. SQLite's default of 2 MB holds a log of 8,000 events."""

FIRST_CACHE_KB = 65536
"""The same for the first connection, which serves all views that do not overlap with another.

It holds a log of about 150,000 events, so repeated searches in it read the file once, unless something is written.
"""

CLOSE_TIMEOUT = 0.5
"""Seconds to wait for the thread of a connection when the pool ends."""

JOIN_TIMEOUT = 5.0
"""Seconds to wait for an interrupted thread when its event loop ends. Only a very busy machine needs them."""


async def _roll_back(connection: aiosqlite.Connection, interrupted: bool) -> None:
    """Roll back. Interrupt repeatedly if `interrupted`, because a query may still be queued for the thread."""
    ended = asyncio.ensure_future(connection.rollback())
    try:
        while interrupted and not ended.done():
            await connection.interrupt()
            await asyncio.wait({ended}, timeout=0.02)
        await ended
    finally:
        if not ended.done():
            await connection.interrupt()


def _begin(connection: sqlite3.Connection) -> bool:
    """Begin a transaction, and return whether any task is in cold storage. Both need one switch of threads."""
    connection.execute("BEGIN")
    return connection.execute(ANY_COLD).fetchone() is not None


def _stop(connection: aiosqlite.Connection) -> None:
    """Close the connection in its thread and end the thread, which reports to no event loop.

    `Connection.stop` would make the thread report to the running loop, which may have ended by then.
    """

    def close() -> object:
        if connection._connection is not None:
            connection._connection.close()
            connection._connection = None
        return _STOP_RUNNING_SENTINEL

    connection._running = False
    connection._tx.put_nowait((None, close))


def _join_thread(connection: aiosqlite.Connection) -> None:
    """Interrupt a stopped connection until its thread ends, for at most `JOIN_TIMEOUT` seconds."""
    until = time.monotonic() + JOIN_TIMEOUT
    while connection._thread.is_alive() and time.monotonic() < until:
        with suppress(sqlite3.Error, ValueError):
            connection._conn.interrupt()
        connection._thread.join(0.005)


class Readers:
    """A pool of read-only connections to one file. Connections stay open until the pool closes or they break."""

    def __init__(self, file: DatabaseFile) -> None:
        self._file = file
        self._idle: list[aiosqlite.Connection] = []
        self._first: aiosqlite.Connection | None = None
        self._in_use: dict[aiosqlite.Connection, int] = {}
        self._stopping: set[threading.Thread] = set()
        self._closed = False
        self._rollbacks: set[asyncio.Task[None]] = set()
        self._view_limit = ViewLimit(MAX_READERS)

    def after_fork(self) -> None:
        """Forget the connections and the views of the parent process."""
        self._idle, self._in_use, self._stopping, self._rollbacks = [], {}, set(), set()
        self._first = None
        self._view_limit = ViewLimit(MAX_READERS)

    @property
    def held_views(self) -> int:
        """The number of views that are held."""
        return len(self._in_use)

    @asynccontextmanager
    async def view(self, *, consistent: bool = True) -> AsyncIterator[View]:
        """Return a view of the database. If `consistent`, all its reads see the same state.

        Raises NestedView if the caller already holds a view: otherwise all connections could be held by callers that
        wait for another one. Raises StoreUnavailable, StoreClosed, StoreLost and StoreDamaged.
        """
        if self._closed:
            raise StoreClosed("the store is closed")
        held_view = self._view_limit.new(self)
        slots = await self._view_limit.acquire_slot()
        connection: aiosqlite.Connection | None = None
        try:
            with translated_errors():
                connection = await self._take_connection(held_view, slots)
                self._view_limit.enter(held_view)
                view = View(connection)
                if consistent:
                    view.any_cold = await connection._execute(_begin, connection._conn)  # type: ignore[no-untyped-call]
                yield view
                if view.damage is not None:
                    self._file.record(view.damage)
                if consistent:
                    # SQLite cannot commit after it has found damage.
                    await connection.execute_fetchall("COMMIT" if view.damage is None else "ROLLBACK")
        except BaseException as error:
            found = self._file.record_error(error)
            if connection is not None:
                held_view.released_later = True
                self._roll_back_later(
                    connection, slots, interrupted=not isinstance(error, Exception), broken=is_broken(error)
                )
            if found is not error:
                raise found from error
            raise
        finally:
            self._view_limit.leave(held_view)
            if not held_view.released_later:
                if connection is not None:
                    self._give_back(connection)
                slots.release()

    async def _take_connection(self, held_view: HeldView, slots: asyncio.Semaphore) -> aiosqlite.Connection:
        if self._file.lost is not None:
            raise self._file.error()
        generation = self._file.generation
        connection = self._idle.pop() if self._idle else await self._open(held_view, slots)
        self._in_use[connection] = generation
        return connection

    async def _open(self, held_view: HeldView, slots: asyncio.Semaphore) -> aiosqlite.Connection:
        opening, generation = asyncio.ensure_future(self._connect()), self._file.generation
        try:
            return await asyncio.shield(opening)
        except asyncio.CancelledError:
            # Let the opening finish: aiosqlite's thread would otherwise report to a loop that has ended.
            held_view.released_later = True
            opening.add_done_callback(lambda opened: self._keep_opened(opened, generation, slots))
            raise

    async def _connect(self) -> aiosqlite.Connection:
        connection = aiosqlite.connect(
            uri(self._file.path, read_only=True),
            uri=True,
            timeout=BUSY_TIMEOUT,
            isolation_level=None,
            # A child of a fork closes it in its only thread.
            check_same_thread=False,
            factory=SqliteConnection,
        )
        try:
            park_while_forking(connection)
            await connection
            is_first = self._first is None
            if is_first:
                self._first = connection
            await connection.execute_fetchall(f"PRAGMA cache_size = -{FIRST_CACHE_KB if is_first else CACHE_KB}")
            for name, function in Functions().by_name().items():
                await connection.create_function(name, 1, function, deterministic=True)
        except BaseException:
            self._forget_first(connection)
            _stop(connection)
            _join_thread(connection)
            raise
        return connection

    def _keep_opened(
        self, opening: asyncio.Task[aiosqlite.Connection], generation: int, slots: asyncio.Semaphore
    ) -> None:
        if not opening.cancelled() and opening.exception() is None:
            self._in_use[opening.result()] = generation
            self._give_back(opening.result())
        slots.release()

    def _give_back(self, connection: aiosqlite.Connection) -> None:
        generation = self._in_use.pop(connection, -1)
        if self._closed or self._file.lost is not None or generation != self._file.generation:
            self._stop(connection)
        elif connection is not self._first and self._first in self._idle:
            self._idle.insert(-1, connection)
        else:
            self._idle.append(connection)

    def _forget_first(self, connection: aiosqlite.Connection) -> None:
        if self._first is connection:
            self._first = None

    def _stop(self, connection: aiosqlite.Connection) -> None:
        """Close a connection in its own thread."""
        self._stopping = {thread for thread in self._stopping if thread.is_alive()}
        self._stopping.add(connection._thread)
        self._forget_first(connection)
        _stop(connection)
        self._in_use.pop(connection, None)

    def release(self) -> bool:
        """Close the idle connections of a lost file. Return whether all connections are closed now."""
        while self._idle:
            self._stop(self._idle.pop())
        for thread in self._stopping:
            thread.join(CLOSE_TIMEOUT)
        return not self._in_use and not any(thread.is_alive() for thread in self._stopping)

    def _roll_back_later(
        self, connection: aiosqlite.Connection, slots: asyncio.Semaphore, *, interrupted: bool, broken: bool
    ) -> None:
        """End the transaction of a failed view in the background, then return its connection to the pool."""
        if broken:
            self._stop(connection)
            slots.release()
            return

        def after_rollback(task: asyncio.Task[None]) -> None:
            self._rollbacks.discard(task)
            if task.cancelled():
                # The loop is ending. The thread must report to it before the loop is closed.
                self._stop(connection)
                _join_thread(connection)
            elif isinstance(task.exception(), (sqlite3.Error, ValueError)):
                self._stop(connection)
            else:
                self._give_back(connection)
            slots.release()

        task = asyncio.create_task(_roll_back(connection, interrupted), name="signalbox-reader")
        self._rollbacks.add(task)
        task.add_done_callback(after_rollback)

    async def rows(self, sql: str, *values: object) -> list[Any]:
        """Return the rows of one query."""
        async with self.view(consistent=False) as view:
            return await view._rows(sql, *values)

    async def close(self) -> None:
        """Close all idle connections. Lent connections close when they are returned."""
        self._closed = True
        loop = asyncio.get_running_loop()
        if rollbacks := {task for task in self._rollbacks if task.get_loop() is loop}:
            await asyncio.wait(rollbacks, timeout=CLOSE_TIMEOUT)
        while self._idle:
            await self._idle.pop().close()
        for thread in self._stopping:
            thread.join(CLOSE_TIMEOUT)

    def stop(self) -> None:
        """Do the same as `close` for callers without an event loop."""
        self._closed = True
        while self._idle:
            _stop(self._idle.pop())

"""The connections for reading. A view borrows one while it is held, and uses it in the event loop of its caller."""

from __future__ import annotations

import asyncio
import os
import select
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import LiteralString

import psycopg
from psycopg.pq import ConnStatus, TransactionStatus

from signalbox.store.errors import StoreClosed
from signalbox.store.held_views import ViewLimit
from signalbox.store.postgresql.connection import READER_PATIENCE, Address
from signalbox.store.postgresql.errors import is_lost, translated_errors
from signalbox.store.postgresql.limited_waits import LimitedAsyncConnection

MAX_READERS = 8
"""Connections for views per event loop. A ninth view waits."""

END_TIMEOUT = 5.0
"""Seconds for the rollback of a failed view. Then its connection is closed."""

PLANS = "SET enable_bitmapscan = off; SET jit = off"
"""Pages read rows in the order of an index and stop after the first few. A bitmap scan would read and sort all rows.
The planner prefers it while it has no statistics of a log that has grown. Compiling a query takes longer than running
it.
"""

BEGIN = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"

# Behind a proxy the settings would stay in a connection that others use, and not be in the next one of this view.
BEGIN_BY_PROXY = f"{BEGIN}; SET LOCAL enable_bitmapscan = off; SET LOCAL jit = off"
GLANCE_BY_PROXY = "BEGIN; SET LOCAL enable_bitmapscan = off; SET LOCAL jit = off"


class Pool:
    """Lends connections to views. An idle connection may be lent to a view in any event loop.

    `refuse` raises if views of the database must not be lent now. `generation` returns a number that changes when the
    store opens another database. Connections from before are closed: a server may outlive its replacement by another.
    """

    def __init__(self, address: Address, refuse: Callable[[], None], generation: Callable[[], int]) -> None:
        self._address = address
        self._refuse = refuse
        self._generation = generation
        self._idle: list[LimitedAsyncConnection] = []
        self._view_limit = ViewLimit(MAX_READERS)
        self._ending: set[asyncio.Task[None]] = set()
        self._closed = False
        self._process = os.getpid()
        self.lent = 0

    @asynccontextmanager
    async def connection(self, *, consistent: bool = True) -> AsyncIterator[LimitedAsyncConnection]:
        """Return a connection. If `consistent`, all its queries see the same state.

        Raises NestedView if the caller already holds a view: otherwise all connections could be held by callers that
        wait for another one. Raises StoreUnavailable, StoreMoved and StoreClosed.
        """
        if self._closed:
            raise StoreClosed("the store is closed")
        self._refuse()
        held_view = self._view_limit.new(self)
        slots = await self._view_limit.acquire_slot()
        connection: LimitedAsyncConnection | None = None
        self.lent += 1
        try:
            with translated_errors():
                connection = await self._take_connection(consistent)
                self._view_limit.enter(held_view)
                yield connection
                if consistent or connection.proxied:
                    await connection.execute("COMMIT")
        except BaseException:
            if connection is not None:
                held_view.released_later = True
                self._end(connection, slots)
            raise
        finally:
            self._view_limit.leave(held_view)
            if not held_view.released_later:
                if connection is not None:
                    self._give_back(connection)
                self._release(slots)

    async def _take_connection(self, consistent: bool) -> LimitedAsyncConnection:
        """Return an idle connection that still works, or a new one, with a transaction if `consistent`."""
        while (connection := self._take()) is not None:
            try:
                return await _begun(connection, consistent)
            except psycopg.Error as error:
                if not is_lost(error):
                    raise
        generation = self._generation()
        connection = await self._address.aconnect(READER_PATIENCE)
        connection.generation = generation
        if not connection.proxied:
            await _execute(connection, PLANS)
        return await _begun(connection, consistent)

    def _take(self) -> LimitedAsyncConnection | None:
        if self._process != os.getpid():
            # The connections belong to the parent of this forked process.
            self._idle, self._process = [], os.getpid()
        while self._idle:
            connection = self._idle.pop()
            if connection.generation == self._generation() and _usable(connection):
                return connection
            connection.pgconn.finish()
        return None

    def _give_back(self, connection: LimitedAsyncConnection) -> None:
        if self._closed or connection.info.transaction_status != TransactionStatus.IDLE:
            connection.pgconn.finish()
        else:
            self._idle.append(connection)

    def _release(self, slots: asyncio.Semaphore) -> None:
        self.lent -= 1
        slots.release()

    def _end(self, connection: LimitedAsyncConnection, slots: asyncio.Semaphore) -> None:
        """Roll back a failed view in the background, then return its connection to the pool."""
        task = asyncio.create_task(self._roll_back(connection, slots), name="signalbox-reader")
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)

    async def _roll_back(self, connection: LimitedAsyncConnection, slots: asyncio.Semaphore) -> None:
        try:
            with suppress(psycopg.Error, TimeoutError):
                async with asyncio.timeout(END_TIMEOUT):
                    if connection.info.transaction_status == TransactionStatus.ACTIVE:
                        # The caller was cancelled during a query.
                        await connection.cancel_safe(timeout=END_TIMEOUT)
                    elif connection.info.transaction_status in (TransactionStatus.INTRANS, TransactionStatus.INERROR):
                        await connection.execute("ROLLBACK")
        finally:
            self._give_back(connection)
            self._release(slots)

    async def close(self) -> None:
        """Close all idle connections. Lent connections close when they are returned."""
        self.stop()
        loop = asyncio.get_running_loop()
        if ending := {task for task in self._ending if task.get_loop() is loop}:
            await asyncio.wait(ending, timeout=END_TIMEOUT)

    def stop(self) -> None:
        """Do the same as `close` for callers without an event loop."""
        self._closed = True
        while self._idle:
            self._idle.pop().pgconn.finish()


async def _begun(connection: LimitedAsyncConnection, consistent: bool) -> LimitedAsyncConnection:
    if connection.proxied:
        await _execute(connection, BEGIN_BY_PROXY if consistent else GLANCE_BY_PROXY)
    elif consistent:
        await _execute(connection, BEGIN)
    return connection


async def _execute(connection: LimitedAsyncConnection, sql: LiteralString) -> None:
    """Run a statement on a connection that is not lent yet. Closes the connection if that fails or is cancelled."""
    try:
        await connection.execute(sql)
    except BaseException:
        connection.pgconn.finish()
        raise


def _usable(connection: LimitedAsyncConnection) -> bool:
    """Return whether an idle connection still works, as far as this can be known without a query."""
    if connection.closed:
        return False
    # An idle connection receives data only if the server ends it, or reports a changed setting.
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN)
    if poll.poll(0):
        with suppress(psycopg.Error):
            connection.pgconn.consume_input()
    return connection.pgconn.status == ConnStatus.OK

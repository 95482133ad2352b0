"""Read-only connections, lent to one view each: one transaction, so that all its answers agree."""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiosqlite

from store.errors import StoreClosed
from store.sqlite.connection import BUSY_TIMEOUT, translated_errors, uri
from store.sqlite.views import View

MAX_READERS = 8
"""Connections of one process; a ninth view waits."""


class Readers:
    """A pool of read-only connections to one file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._idle: list[aiosqlite.Connection] = []
        self._closed = False
        self._limits: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore] = (
            weakref.WeakKeyDictionary()
        )

    @asynccontextmanager
    async def view(self, *, consistent: bool = True) -> AsyncIterator[View]:
        """A view of the database; if `consistent`, all its answers are of one moment."""
        if self._closed:
            raise StoreClosed("the store is closed")
        limit = self._limits.setdefault(asyncio.get_running_loop(), asyncio.Semaphore(MAX_READERS))
        async with limit:
            connection = self._idle.pop() if self._idle else await self._open()
            try:
                with translated_errors():
                    if consistent:
                        await connection.execute_fetchall("BEGIN")
                    yield View(connection)
                    if consistent:
                        await connection.execute_fetchall("COMMIT")
            except BaseException:
                await connection.close()
                raise
            if self._closed:
                await connection.close()
            else:
                self._idle.append(connection)

    async def _open(self) -> aiosqlite.Connection:
        with translated_errors():
            # Not to be cancelled half-way: aiosqlite's thread would answer into a loop that is gone.
            connection = await asyncio.shield(
                aiosqlite.connect(uri(self._path, read_only=True), uri=True, timeout=BUSY_TIMEOUT, isolation_level=None)
            )
            await connection.execute_fetchall("PRAGMA mmap_size = 268435456")
        return connection

    async def rows(self, sql: str, *values: object) -> list[Any]:
        """The rows of one question."""
        async with self.view(consistent=False) as view:
            return await view._rows(sql, *values)

    async def close(self) -> None:
        """Close all idle connections; borrowed ones close when they come back."""
        self._closed = True
        while self._idle:
            await self._idle.pop().close()

    def stop(self) -> None:
        """`close` for callers without a loop."""
        self._closed = True
        while self._idle:
            self._idle.pop().stop()

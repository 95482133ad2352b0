"""Wake-ups with PostgreSQL's own NOTIFY and LISTEN, for processes without another bus.

NOTIFY takes a lock of the whole server when its transaction commits. In the transaction of an append, it would make the
commits of all writers wait for each other. So it has a connection and a transaction of its own.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager, suppress

import psycopg

from signalbox.store.bus.transport import BusUnavailable
from signalbox.store.errors import StoreError
from signalbox.store.postgresql.announcer import Announcer
from signalbox.store.postgresql.connection import Address

CHANNEL = "signalbox"
TIMEOUT = 5.0
"""Seconds that a connection or a statement may take."""

IDLE_CHECK = 15.0
"""Seconds without a wake-up after which the listening connection is checked."""

PROBE_TIMEOUT = 2.0
"""Seconds until a wake-up through a proxy must arrive."""

POOLED_RETRY = 30.0
"""Seconds until a proxy that does not pass wake-ups on is tried again. Its settings change seldom."""

POOLED = (
    "the proxy before the database passes no notifications on, as if it pools transactions; let it pool sessions, use"
    " Redis as the bus, or give the URL of the server itself"
)

FAILURES = (psycopg.Error, StoreError, OSError, TimeoutError)


class Notifications:
    """Implements `Transport` on one database. LISTEN does not work through a proxy that pools transactions.

    Such a proxy accepts LISTEN, and then no notification arrives. So through a proxy the first one is a test.
    """

    def __init__(self, address: Address) -> None:
        self._address = address
        self._announcer: Announcer | None = None
        self._pooled = False

    async def publish(self, origin: str) -> None:
        """Wake all listening processes."""
        try:
            async with asyncio.timeout(TIMEOUT):
                if self._announcer is None:
                    self._announcer = Announcer(await self._address.aconnect(TIMEOUT))
                await self._announcer.send(CHANNEL, origin)
        except FAILURES as error:
            await self.aclose()
            raise _unavailable(error) from error
        except asyncio.CancelledError:
            # The answer may still be on its way.
            await self.aclose()
            raise

    @asynccontextmanager
    async def listen(self) -> AsyncGenerator[AsyncIterator[str]]:
        """Listen on a new connection."""
        if self._pooled:
            await asyncio.sleep(POOLED_RETRY)
        connection = None
        try:
            async with asyncio.timeout(TIMEOUT):
                connection = await self._address.aconnect(TIMEOUT)
                await connection.execute(f"LISTEN {CHANNEL}")
                self._pooled = connection.proxied and not await self._arrives_at(connection)
            if self._pooled:
                raise BusUnavailable(POOLED)
            yield _origins(connection)
        except FAILURES as error:
            raise _unavailable(error) from error
        finally:
            if connection is not None:
                await _close(connection)

    async def _arrives_at(self, listening: psycopg.AsyncConnection) -> bool:
        """Return whether a notification that is sent on another connection arrives."""
        probe = secrets.token_hex(8)
        await self.publish(probe)
        return any([found.payload == probe async for found in listening.notifies(timeout=PROBE_TIMEOUT, stop_after=1)])

    async def aclose(self) -> None:
        """Close the connection that publishes."""
        announcer, self._announcer = self._announcer, None
        if announcer is not None:
            announcer.close()


async def _origins(connection: psycopg.AsyncConnection) -> AsyncGenerator[str]:
    while True:
        async for notify in connection.notifies(timeout=IDLE_CHECK):
            yield notify.payload
        async with asyncio.timeout(TIMEOUT):
            await connection.execute("SELECT")


async def _close(connection: psycopg.AsyncConnection) -> None:
    with suppress(*FAILURES):
        await connection.close()


def _unavailable(error: Exception) -> BusUnavailable:
    return BusUnavailable(str(error).strip() or f"PostgreSQL did not answer within {TIMEOUT:.0f} s")

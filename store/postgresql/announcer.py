"""Sends NOTIFY up to 200 times per second. The driver's cursors and waits would cost three times as much."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import psycopg
from psycopg.pq import ExecStatus

from signalbox.store.postgresql.limited_waits import LimitedAsyncConnection

_NOTIFY, _NAME = b"SELECT pg_notify($1, $2)", b"signalbox_notify"


class Announcer:
    """Sends on one connection, one notification at a time. Belongs to the event loop in which it is created."""

    def __init__(self, connection: LimitedAsyncConnection) -> None:
        self._connection = connection
        self._pgconn = connection.pgconn
        self._loop = asyncio.get_running_loop()
        self._answer: asyncio.Future[None] | None = None
        self._socket = self._pgconn.socket
        self._prepared = False
        self._loop.add_reader(self._socket, self._read)

    async def send(self, channel: str, text: str) -> None:
        """Send a notification, and return when the server has accepted it. Raises the driver's errors."""
        values = [channel.encode(), text.encode()]
        if self._connection.prepare_threshold is None:
            await self._sent(lambda: self._pgconn.send_query_params(_NOTIFY, values))
            return
        if not self._prepared:
            await self._sent(lambda: self._pgconn.send_prepare(_NAME, _NOTIFY))
            self._prepared = True
        await self._sent(lambda: self._pgconn.send_query_prepared(_NAME, values))

    async def _sent(self, send: Callable[[], None]) -> None:
        self._answer = self._loop.create_future()
        send()
        if self._pgconn.flush() != 0:
            # The server has not read what was sent before.
            raise psycopg.OperationalError("the server does not read")
        await self._answer

    def close(self) -> None:
        """Close the connection without waiting for the server."""
        self._loop.remove_reader(self._socket)
        self._pgconn.finish()

    def _read(self) -> None:
        try:
            self._pgconn.consume_input()
            while not self._pgconn.is_busy():
                result = self._pgconn.get_result()
                if result is None:
                    self._finish(None)
                    return
                if result.status not in (ExecStatus.TUPLES_OK, ExecStatus.COMMAND_OK):
                    raise psycopg.errors.error_from_result(result)
        except psycopg.Error as error:
            # The socket of a lost connection stays readable.
            self._loop.remove_reader(self._socket)
            self._finish(error)

    def _finish(self, error: psycopg.Error | None) -> None:
        answer, self._answer = self._answer, None
        if answer is not None and not answer.done():
            if error is not None:
                answer.set_exception(error)
            else:
                answer.set_result(None)

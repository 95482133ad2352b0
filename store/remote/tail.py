"""Following the log of one task at a server, with reconnects."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable
from contextlib import AsyncExitStack
from typing import Protocol

import httpx

from signalbox.store.errors import StoreUnavailable
from signalbox.store.events import Event, check_task_id
from signalbox.store.remote.connection import Connection
from signalbox.store.remote.errors import error_of
from signalbox.store.remote.position import PAGE_SIZE, Gap, Notice, Position


class ReadPage(Protocol):
    """Reads a page of a log: at most `limit` events after `since_seq`."""

    def __call__(
        self, task_id: str, since_seq: int = 0, limit: int = 100, *, identity: str | None = None
    ) -> Awaitable[list[Event]]: ...


class RemoteTail:
    """Reads the events of a task after `since_seq`. Await its methods in one event loop, one at a time.

    It is not an asynchronous generator, because each step of a blocking caller is an asyncio task of its own.
    """

    def __init__(
        self,
        connection: Connection,
        read_page: ReadPage,
        task_id: str,
        since_seq: int,
        notice: Notice | None,
        identity: str | None = None,
    ) -> None:
        self._connection, self._read_page, self._identity = connection, read_page, identity
        self._task_id = check_task_id(task_id)
        self._position = Position(since_seq, notice)
        self._gap = False
        self._client: httpx.AsyncClient | None = None
        self._stream = AsyncExitStack()
        self._chunks: AsyncIterator[bytes] | None = None

    async def step(self) -> list[Event]:
        """Wait for the next events and return them in order."""
        while True:
            asked = None
            try:
                if events := await (self._page() if self._gap else self._chunk()):
                    return events
                continue
            except StoreUnavailable as error:
                asked = error.retry_after
            except (httpx.RequestError, httpx.StreamError):
                pass
            await self._stream.aclose()
            self._chunks = None
            await asyncio.sleep(self._position.delay(asked))

    async def aclose(self) -> None:
        """Close the connection."""
        await self._stream.aclose()
        if self._client is not None:
            await self._client.aclose()

    async def _page(self) -> list[Event]:
        """Return the new events of the next page of the log. Used while the log has events that the stream skipped."""
        page = await self._read_page(self._task_id, self._position.cursor, PAGE_SIZE, identity=self._identity)
        self._gap = len(page) == PAGE_SIZE
        return list(self._position.advance(page))

    async def _chunk(self) -> list[Event]:
        """Return the events of the next chunk of the stream. Raises httpx.ReadError if the server ends the stream."""
        if self._chunks is None:
            self._chunks = await self._connect()
        events: list[Event] = []
        try:
            # The events before a gap stay in the list, because the cursor has already passed them.
            events.extend(self._position.feed(await anext(self._chunks)))
        except StopAsyncIteration:
            raise httpx.ReadError("the server ended the stream") from None
        except Gap:
            self._gap, self._chunks = True, None
            await self._stream.aclose()
        return events

    async def _connect(self) -> AsyncIterator[bytes]:
        if self._client is None:
            self._client = self._connection.stream_client()
        path = f"/sse/tasks/{self._task_id}/events"
        request = self._position.stream_request()
        if self._identity:
            request["params"]["identity"] = self._identity
        opening = self._client.stream("GET", path, **request)
        response = await self._stream.enter_async_context(opening)
        if not response.is_success:
            await response.aread()
            await self._stream.aclose()
            raise error_of(response, self._task_id)
        return response.aiter_raw()

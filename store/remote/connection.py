"""Requests to one server, which are repeated while it is busy or gone."""

from __future__ import annotations

import asyncio
import re
import time
from typing import Any

import httpx

from signalbox.store.errors import InvalidEvent, StoreClosed, StoreUnavailable
from signalbox.store.loop_thread import LoopThread
from signalbox.store.remote.errors import error_of, unreachable

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})

FIRST_DELAY, LONGEST_DELAY = 0.1, 5.0
"""Seconds until a request is repeated the first time, doubled each time, up to the longest."""

_TOKEN = re.compile(r"[!-~]{1,4096}")


class Connection:
    """The server at `url`, and the token that every request carries. Its HTTP client lives in a loop of its own."""

    def __init__(self, url: str, token: str | None, patience: float) -> None:
        try:
            host = httpx.URL(url).host if url.startswith(("http://", "https://")) else ""
        except httpx.InvalidURL:
            host = ""
        if not host:
            raise InvalidEvent(f"cannot use {url!r}: a server's URL looks like http://127.0.0.1:8000", "url")
        if token is not None and not _TOKEN.fullmatch(token):
            raise InvalidEvent("the token must be one word of printable ASCII characters", "token")
        self.url = url.rstrip("/")
        self.patience = patience
        self.thread = LoopThread("signalbox-remote")
        self._options: dict[str, Any] = {
            "base_url": self.url,
            "headers": {"Authorization": f"Bearer {token}"} if token else {},
            "timeout": httpx.Timeout(10, read=30),
            # A proxy of the environment cannot reach this machine's own loopback.
            "trust_env": host not in LOOPBACK,
        }
        # To make one takes tens of milliseconds, which the first request does not pay.
        self._client = self.client()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closed = False

    def client(self) -> httpx.AsyncClient:
        """A new HTTP client, for one stream in the running loop."""
        return httpx.AsyncClient(**self._options)

    async def request(self, method: str, path: str, task_id: str | None = None, **options: Any) -> httpx.Response:
        """The successful response to a request, from any event loop.

        Raises the StoreError that another response means, StoreUnavailable when `patience` is over, and StoreClosed.
        """
        self.check_open()
        try:
            return await self.thread.run(self._repeat(method, path, task_id, options))
        except asyncio.CancelledError:
            # By the caller, or by `close()`.
            self.check_open()
            raise

    async def _repeat(self, method: str, path: str, task_id: str | None, options: dict[str, Any]) -> httpx.Response:
        deadline, delay = time.monotonic() + self.patience, FIRST_DELAY
        while True:
            self.check_open()
            try:
                response = await self._client_here().request(method, path, **options)
                if response.is_success:
                    return response
                error = error_of(response, task_id)
            except httpx.RequestError as cause:
                error = unreachable(self.url, cause)
            wait = max(delay, error.retry_after) if isinstance(error, StoreUnavailable) else 0.0
            if not error.retryable or time.monotonic() + wait > deadline:
                raise error
            await asyncio.sleep(wait)
            delay = min(delay * 2, LONGEST_DELAY)

    def _client_here(self) -> httpx.AsyncClient:
        # A process that was forked has another loop, and must not use the sockets of its parent.
        loop = asyncio.get_running_loop()
        if self._loop not in (None, loop):
            self._client = self.client()
        self._loop = loop
        return self._client

    def check_open(self) -> None:
        """Raise StoreClosed after `close()`."""
        if self._closed:
            raise StoreClosed("the connection to the server was closed")

    def close(self) -> None:
        """Close the connections. Requests that are repeated raise StoreClosed."""
        if not self._closed:
            self._closed = True
            if self.thread.running:
                self.thread.wait(self._client.aclose())
            self.thread.stop()

"""Requests to one server, which are retried while the server is busy or unreachable."""

from __future__ import annotations

import os
import re
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx

from signalbox.store.blocking import InPlace
from signalbox.store.errors import InvalidEvent, StoreClosed, StoreUnavailable
from signalbox.store.loop_thread import LoopThread
from signalbox.store.remote.errors import error_of, unreachable

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})

FIRST_DELAY, MAX_DELAY = 0.1, 5.0
"""Seconds before the first retry of a request, and the maximum. The delay doubles with each retry."""

_TOKEN = re.compile(r"[!-~]{1,4096}")


class Connection(InPlace):
    """The connection to the server at `url`, with a token. Safe to use from any thread and event loop."""

    def __init__(self, url: str, token: str | None, patience: float) -> None:
        try:
            host = httpx.URL(url).host if url.startswith(("http://", "https://")) else ""
        except httpx.InvalidURL:
            host = ""
        if not host:
            raise InvalidEvent(f"cannot use {url!r}: a server's URL looks like http://127.0.0.1:8000", "url")
        if token is not None and not _TOKEN.fullmatch(token):
            raise InvalidEvent("the token must be one word of printable ASCII characters", "token")
        self._threads = ThreadPoolExecutor(4, thread_name_prefix="signalbox-request")
        super().__init__(self._threads)
        self.url = url.rstrip("/")
        self.patience = patience
        self.loop_thread = LoopThread("signalbox-remote")
        self._options: dict[str, Any] = {
            "base_url": self.url,
            "headers": {"Authorization": f"Bearer {token}"} if token else {},
            "timeout": httpx.Timeout(10, read=30),
            # A proxy from the environment cannot reach this machine's loopback address.
            "trust_env": host not in LOOPBACK,
        }
        self._client, self._process = httpx.Client(**self._options), os.getpid()
        self._closed = threading.Event()

    def stream_client(self) -> httpx.AsyncClient:
        """Return a new HTTP client for one stream in the running event loop."""
        return httpx.AsyncClient(**self._options)

    async def request(self, method: str, path: str, task_id: str | None = None, **options: Any) -> httpx.Response:
        """Send a request, retry it while the server is busy or unreachable, and return the successful response.

        Raises the StoreError for an error response, StoreUnavailable after `patience` seconds, and StoreClosed.
        """
        self.check_open()
        return await self.off_the_loop(lambda: self._repeat(method, path, task_id, options))

    def _repeat(self, method: str, path: str, task_id: str | None, options: dict[str, Any]) -> httpx.Response:
        deadline, delay = time.monotonic() + self.patience, FIRST_DELAY
        while True:
            self.check_open()
            try:
                response = self._own_client().request(method, path, **options)
                if response.is_success:
                    return response
                error = error_of(response, task_id)
            except httpx.RequestError as cause:
                error = unreachable(self.url, cause)
            wait = max(delay, error.retry_after) if isinstance(error, StoreUnavailable) else 0.0
            if not error.retryable or time.monotonic() + wait > deadline:
                raise error
            self._closed.wait(wait)
            delay = min(delay * 2, MAX_DELAY)

    def _own_client(self) -> httpx.Client:
        # A forked process must not use the sockets of its parent.
        if self._process != os.getpid():
            self._client, self._process = httpx.Client(**self._options), os.getpid()
        return self._client

    def check_open(self) -> None:
        """Raise StoreClosed after `close()`."""
        if self._closed.is_set():
            raise StoreClosed("the connection to the server was closed")

    def close(self) -> None:
        """Close the connections. Requests that still wait for the server raise StoreClosed."""
        self._closed.set()
        self._client.close()
        self.loop_thread.stop()
        self._threads.shutdown(wait=False, cancel_futures=True)

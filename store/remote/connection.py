"""Requests to one server, which are retried while the server is busy or unreachable."""

from __future__ import annotations

import os
import re
import ssl
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar
from urllib.parse import urlsplit

import httpx

from signalbox.store.blocking import InPlace
from signalbox.store.errors import InvalidEvent, StoreClosed, StoreUnavailable
from signalbox.store.loop_thread import LoopThread
from signalbox.store.remote.errors import error_of, unreachable

T = TypeVar("T")

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})

FIRST_DELAY, MAX_DELAY = 0.1, 5.0
"""Seconds before the first retry of a request, and the maximum. The delay doubles with each retry."""

_TOKEN = re.compile(r"[!-~]{1,4096}")


def _host_of(url: str) -> str:
    """Return the host of a server's URL. It is empty if the URL is not one."""
    try:
        parts = urlsplit(url)
        httpx.URL(url)
        usable = parts.scheme in ("http", "https") and parts.port != 0 and not re.search(r"\s", url)
    except (httpx.InvalidURL, ValueError):
        return ""
    return parts.hostname or "" if usable else ""


class Connection(InPlace):
    """The connection to the server at `url`, with a token. Safe to use from any thread and event loop."""

    def __init__(self, url: str, token: str | None, patience: float) -> None:
        host = _host_of(url)
        if not host:
            raise InvalidEvent(f"cannot use {url!r}: a server's URL looks like http://127.0.0.1:8000", "url")
        if token is not None and not _TOKEN.fullmatch(token):
            raise InvalidEvent("the token must be one word of printable ASCII characters", "token")
        super().__init__()
        self.url = url.rstrip("/")
        self.patience = patience
        self._options: dict[str, Any] = {
            "base_url": self.url,
            "headers": {"Authorization": f"Bearer {token}"} if token else {},
            "timeout": httpx.Timeout(10, read=30),
            # A proxy from the environment cannot reach this machine's loopback address.
            "trust_env": host not in LOOPBACK,
            "verify": _tls(self.url, trust_env=host not in LOOPBACK),
        }
        self._closed = threading.Event()
        self._begin_in_process()

    def _begin_in_process(self) -> None:
        """Create what a process must not share with its parent: sockets and threads."""
        self._process = os.getpid()
        self._client = httpx.Client(**self._options)
        self.loop_thread = LoopThread("signalbox-remote")
        self._executor = self._threads = _threads()
        # Calls that may wait long for the server must not delay the appends.
        self._append_threads = _threads()

    def stream_client(self) -> httpx.AsyncClient:
        """Return a new HTTP client for one stream in the running event loop."""
        return httpx.AsyncClient(**self._options)

    async def request(self, method: str, path: str, task_id: str | None = None, **options: Any) -> httpx.Response:
        """Send a request, retry it while the server is busy or unreachable, and return the successful response.

        Raises the StoreError for an error response, StoreUnavailable after `patience` seconds, and StoreClosed.
        """
        self.check_open()
        self._check_process()
        return await self.off_the_loop(lambda: self._repeat(method, path, task_id, options))

    async def append_off_the_loop(self, call: Callable[[], T]) -> T:
        """Do the same as `off_the_loop`, in threads that only appends use."""
        self._check_process()
        return await self.off_the_loop(call, self._append_threads)

    def attempt(self, method: str, path: str, task_id: str | None = None, **options: Any) -> httpx.Response:
        """Send a request once and return the successful response. Blocks, and raises the same errors as `request`."""
        response = self.response(method, path, **options)
        if not response.is_success:
            raise error_of(response, task_id)
        return response

    def response(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Send a request once and return the response, whatever its status. Raises StoreUnavailable or StoreClosed."""
        self.check_open()
        self._check_process()
        try:
            return self._client.request(method, path, **options)
        except httpx.RequestError as cause:
            raise unreachable(self.url, cause) from cause
        except RuntimeError:
            # Another thread has closed the client meanwhile.
            self.check_open()
            raise

    def sleep(self, seconds: float) -> None:
        """Wait, but not after `close()`."""
        self._closed.wait(seconds)

    def _repeat(self, method: str, path: str, task_id: str | None, options: dict[str, Any]) -> httpx.Response:
        deadline, delay = time.monotonic() + self.patience, FIRST_DELAY
        while True:
            try:
                return self.attempt(method, path, task_id, **options)
            except StoreUnavailable as error:
                wait = max(delay, error.retry_after)
                if time.monotonic() + wait > deadline:
                    raise
            self._closed.wait(wait)
            delay = min(delay * 2, MAX_DELAY)

    def _check_process(self) -> None:
        if self._process != os.getpid():
            self._begin_in_process()

    def check_open(self) -> None:
        """Raise StoreClosed after `close()`."""
        if self._closed.is_set():
            raise StoreClosed("the connection to the server was closed")

    def close(self) -> None:
        """Close the connections. Requests that still wait for the server raise StoreClosed."""
        self._closed.set()
        self._client.close()
        self.loop_thread.stop()
        for executor in (self._threads, self._append_threads):
            executor.shutdown(wait=False, cancel_futures=True)


def _tls(url: str, *, trust_env: bool) -> ssl.SSLContext:
    """Return the TLS settings of all connections to a server.

    Reading the trusted authorities takes longer than a request, so they are read once, and not for a URL without TLS.
    """
    if urlsplit(url).scheme == "http":
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    return httpx.create_ssl_context(trust_env=trust_env)


def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(4, thread_name_prefix="signalbox-request")

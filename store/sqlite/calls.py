"""How callers wait for the writer: a coroutine while another thread commits, a plain thread by committing itself."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from signalbox.store.blocking import InPlace
from signalbox.store.sqlite.writer import Writer

T = TypeVar("T")


class Calls(InPlace):
    """The writes of one store, as coroutines."""

    def __init__(self, writer: Writer) -> None:
        super().__init__()
        self._writer = writer
        self._thread: ThreadPoolExecutor | None = None

    async def write(self, work: Callable[[sqlite3.Connection], T], weight: int = 1) -> T:
        """Run `work` in a transaction and return its answer once that is committed. The event loop is never blocked.

        Raises what `work` raises, and StoreUnavailable. If the caller is cancelled, the work is done or it is not.
        """
        if self._here.blocking:
            return self._writer.run(work, weight)
        if self._thread is None:
            self._thread = ThreadPoolExecutor(1, thread_name_prefix="signalbox-writer")
        future: Future[T] = Future()
        job = self._writer.submit(work, weight, future)
        self._thread.submit(self._writer.drain)
        expiry = asyncio.get_running_loop().call_later(job.deadline - time.monotonic(), job.expire)
        try:
            return await asyncio.wrap_future(future)
        finally:
            expiry.cancel()

    def close(self) -> None:
        """Wait for the writes that are under way."""
        if self._thread is not None:
            self._thread.shutdown()

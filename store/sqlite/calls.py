"""How callers wait for the writer: a coroutine while another thread commits, a plain thread by committing itself."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

from signalbox.store.sqlite.writer import Writer

T = TypeVar("T")


class _Here(threading.local):
    blocking = False


class Calls:
    """The writes of one store, as coroutines: see `store.blocking`."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self._thread: ThreadPoolExecutor | None = None
        # Not a ContextVar: a callback that a listener schedules would inherit it.
        self._here = _Here()

    @property
    def blocking(self) -> bool:
        """Whether the coroutine that runs in this thread was called in its blocking form."""
        return self._here.blocking

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

    async def off_the_loop(self, call: Callable[[], T]) -> T:
        """Call a function that blocks, in another thread if there is an event loop that must not wait."""
        return call() if self._here.blocking else await asyncio.to_thread(call)

    def wait(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine that does nothing but `write` and `off_the_loop`, in this thread and without an event loop.

        The thread commits by itself: no other thread has to wake up.
        """
        outer, self._here.blocking = self._here.blocking, True
        try:
            coroutine.send(None)
        except StopIteration as done:
            answer: T = done.value
            return answer
        finally:
            self._here.blocking = outer
        coroutine.close()
        raise RuntimeError("this coroutine needs an event loop: await it, or use asyncio.run")

    def close(self) -> None:
        """Wait for the writes that are under way."""
        if self._thread is not None:
            self._thread.shutdown()

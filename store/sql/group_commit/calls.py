"""Calls of the writer: a coroutine waits while another thread commits, a blocking caller commits in its own thread."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import TypeVar

from signalbox.store.blocking import InPlace
from signalbox.store.errors import OutcomeUnknown
from signalbox.store.sql.database import Database
from signalbox.store.sql.group_commit.job import JOB_TIMEOUT
from signalbox.store.sql.group_commit.writer import GroupCommit

GRACE = 2.0
"""Seconds beyond `JOB_TIMEOUT` that a coroutine waits for a transaction that has begun."""

T = TypeVar("T")


class Calls(InPlace):
    """Runs the writes of one store as coroutines."""

    def __init__(self, writer: GroupCommit) -> None:
        super().__init__()
        self._writer = writer
        self._thread: ThreadPoolExecutor | None = None
        self._process = 0

    async def write(
        self, work: Callable[[Database], T], weight: int = 1, *, unchecked: bool = False, quiet: bool = False
    ) -> T:
        """Run `work` in a transaction and return its result after the commit. Never blocks the event loop.

        `weight` is the number of events that the work appends. With `unchecked` SQLite enforces no foreign keys. After
        `quiet` work, which writes nothing that a page shows, the followers of the log are not woken.
        Raises StoreUnavailable and the exceptions of `work`.
        If the caller is cancelled, the work may still be committed.
        """
        if self._thread_state.blocking:
            return self._writer.run(work, weight, unchecked=unchecked, quiet=quiet)
        if self._thread is None or self._process != os.getpid():
            # A forked process does not have the threads of its parent.
            self._thread, self._process = ThreadPoolExecutor(1, thread_name_prefix="signalbox-writer"), os.getpid()
        future: Future[T] = Future()
        job = self._writer.submit(work, weight, future, unchecked=unchecked, quiet=quiet)
        with suppress(RuntimeError):
            # After `close()` the thread takes no more calls, and the writer commits its queue when it closes.
            self._thread.submit(self._writer.drain)
        expiry = asyncio.get_running_loop().call_later(job.deadline - time.monotonic(), job.expire)
        try:
            async with asyncio.timeout(JOB_TIMEOUT + GRACE):
                return await asyncio.wrap_future(future)
        except TimeoutError:
            raise OutcomeUnknown(
                f"the database did not answer for {JOB_TIMEOUT + GRACE:.0f} s; the write may have succeeded"
            ) from None
        finally:
            expiry.cancel()

    def close(self) -> None:
        """Wait for the writes in progress."""
        if self._thread is not None and self._process == os.getpid():
            self._thread.shutdown()

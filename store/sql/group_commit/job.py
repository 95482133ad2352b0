"""A job: work for a transaction of the writer, and its result."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Generic, TypeVar

from signalbox.store.errors import StoreUnavailable
from signalbox.store.sql.database import Database

JOB_TIMEOUT = 35.0
"""Seconds after which a call fails with StoreUnavailable, whether it waits in the queue or for a lock."""

T = TypeVar("T")


class Job(Generic[T]):
    """One call of `work(database)`, which returns the result, or raises to undo only this job.

    With `unchecked` the job has a transaction of its own, in which SQLite does not enforce foreign keys. A `quiet` job
    writes nothing that a page shows.

    The job is claimed once: by a transaction, or by its deadline. A blocking caller waits until `done` is true. A
    coroutine waits for `future`, and may cancel it until the job is claimed.
    """

    __slots__ = (
        "_claimed",
        "_error",
        "_value",
        "deadline",
        "done",
        "future",
        "interrupted",
        "quiet",
        "unchecked",
        "weight",
        "work",
    )

    def __init__(
        self,
        work: Callable[[Database], T],
        weight: int,
        future: Future[T] | None = None,
        *,
        unchecked: bool = False,
        quiet: bool = False,
    ) -> None:
        self.work = work
        self.weight = weight
        self.unchecked, self.quiet = unchecked, quiet
        self.future = future
        self.done = False
        self.interrupted = False
        self.deadline = time.monotonic() + JOB_TIMEOUT
        self._claimed = threading.Lock()
        self._error: BaseException | None = None
        self._value: T

    def claim(self) -> bool:
        """Claim the job, which must then be completed or failed. Return False if it is already claimed or cancelled."""
        return self._claimed.acquire(False) and (self.future is None or self.future.set_running_or_notify_cancel())

    def complete(self, value: T) -> None:
        """Give the caller the result of its work. The job must be claimed."""
        self._value = value
        self.done = True
        if self.future is not None:
            self.future.set_result(value)

    def fail(self, error: BaseException) -> None:
        """Give the caller an error. The job must be claimed."""
        self._error = error
        self.done = True
        if self.future is not None:
            self.future.set_exception(error)

    def result(self) -> T:
        """Return the result of the work, or raise its error. `done` must be true."""
        if self._error is not None:
            raise self._error
        return self._value

    def expire(self) -> None:
        """Fail the job with StoreUnavailable because its deadline passed, unless it is already claimed."""
        if self.claim():
            self.time_out()

    def time_out(self) -> None:
        """Fail a claimed job with StoreUnavailable because its deadline passed."""
        message = f"the database is busy: nothing could be written for {JOB_TIMEOUT:.0f} s"
        self.fail(StoreUnavailable(message))

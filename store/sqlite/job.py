"""A job: work for one transaction, and the answer that its caller waits for."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Generic, TypeVar

from signalbox.store.errors import StoreUnavailable

PATIENCE = 35.0
"""Seconds from a call until it is told StoreUnavailable, wherever it waits: in the queue, or for a lock."""

T = TypeVar("T")


class Job(Generic[T]):
    """`work(connection)` returns the answer, or raises to undo itself alone.

    Either a transaction claims the job or its deadline does, never both. A caller that blocks waits until `answered`;
    one in an event loop waits for `future`, and may cancel that as long as the job is not claimed.
    """

    __slots__ = ("_claimed", "_error", "_value", "answered", "deadline", "future", "interrupted", "weight", "work")

    def __init__(self, work: Callable[[sqlite3.Connection], T], weight: int, future: Future[T] | None = None) -> None:
        self.work = work
        self.weight = weight
        self.future = future
        self.answered = False
        self.interrupted = False
        self.deadline = time.monotonic() + PATIENCE
        self._claimed = threading.Lock()
        self._error: BaseException | None = None
        self._value: T

    def claim(self) -> bool:
        """Take the job, to answer it; False if it is cancelled or taken. From then on it cannot be cancelled."""
        return self._claimed.acquire(False) and (self.future is None or self.future.set_running_or_notify_cancel())

    def answer(self, value: T) -> None:
        """Give the caller the answer of its work. Only for whoever has claimed the job."""
        self._value = value
        self.answered = True
        if self.future is not None:
            self.future.set_result(value)

    def fail(self, error: BaseException) -> None:
        """Give the caller an error. Only for whoever has claimed the job."""
        self._error = error
        self.answered = True
        if self.future is not None:
            self.future.set_exception(error)

    def result(self) -> T:
        """The answer, or the error raised. Only once the job is answered."""
        if self._error is not None:
            raise self._error
        return self._value

    def expire(self) -> None:
        """Tell the caller that it waited too long, unless the job is taken."""
        if self.claim():
            self.refuse()

    def refuse(self) -> None:
        """Tell the caller that it waited too long."""
        message = f"the database is busy: nothing could be written for {PATIENCE:.0f} s"
        self.fail(StoreUnavailable(message))

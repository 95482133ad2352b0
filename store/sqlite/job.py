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


class Job(Future[T], Generic[T]):
    """`work(connection)` returns the answer, or raises to undo itself alone.

    Either a transaction claims the job or its deadline does, never both. A caller that goes away before that cancels
    it; one that goes away later changes nothing.
    """

    def __init__(self, work: Callable[[sqlite3.Connection], T], weight: int, *, cancellable: bool = False) -> None:
        super().__init__()
        self._cancellable = cancellable
        self.answered = False
        self.work = work
        self.weight = weight
        self.deadline = time.monotonic() + PATIENCE
        self.interrupted = False
        self._claimed = threading.Lock()

    def claim(self) -> bool:
        """Take the job, to answer it; False if it is cancelled or taken. From then on it cannot be cancelled."""
        return self._claimed.acquire(False) and (not self._cancellable or self.set_running_or_notify_cancel())

    def answer(self, value: T) -> None:
        """Give the caller the answer of its work. Only for whoever has claimed the job."""
        self.answered = True
        self.set_result(value)

    def fail(self, error: BaseException) -> None:
        """Give the caller an error. Only for whoever has claimed the job."""
        self.answered = True
        self.set_exception(error)

    def expire(self) -> None:
        """Tell the caller that it waited too long, unless the job is taken."""
        if self.claim():
            self.refuse()

    def refuse(self) -> None:
        """Tell the caller that it waited too long."""
        message = f"the database is busy: nothing could be written for {PATIENCE:.0f} s"
        self.fail(StoreUnavailable(message))

"""The one writer of a process: group commit without a thread of its own.

Callers put their job into the queue; whoever gets the lock commits everything that waits there in one transaction
and answers all of them. A lone synchronous caller pays no thread switch, a crowd shares its commits.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any, Generic, TypeVar

from store.errors import StoreClosed, StoreUnavailable
from store.sqlite.connection import connect, translated_errors

MAX_GROUP = 2000
"""Events in one transaction at most (one job may be larger): it bounds how long the others wait."""

PATIENCE = 30.0
"""Seconds a job waits for other processes' transactions before it is told StoreUnavailable."""

T = TypeVar("T")


class Job(Future[T], Generic[T]):
    """Work for one transaction: `work(connection)` returns the answer or raises to undo itself alone."""

    def __init__(self, work: Callable[[sqlite3.Connection], T], weight: int) -> None:
        super().__init__()
        self.work = work
        self.weight = weight


class Writer:
    """Runs jobs in group-committed transactions on one connection. `on_commit` callbacks follow each commit."""

    def __init__(self, path: Path, synchronous: str, on_commit: Callable[[], None]) -> None:
        self._connection = connect(path, synchronous)
        self._on_commit = on_commit
        self._queue: deque[Job[Any]] = deque()
        self._lock = threading.Lock()
        self._closed = False
        self.commits = 0

    @property
    def queued(self) -> int:
        """Jobs that wait for a transaction."""
        return len(self._queue)

    @property
    def connection(self) -> sqlite3.Connection:
        """The writing connection, for set-up before the first job."""
        return self._connection

    def submit(self, work: Callable[[sqlite3.Connection], T], weight: int = 1) -> Job[T]:
        """Queue a job. Somebody must `drain()` afterwards."""
        if self._closed:
            raise StoreClosed("the store is closed")
        job = Job(work, weight)
        self._queue.append(job)
        return job

    def run(self, work: Callable[[sqlite3.Connection], T], weight: int = 1) -> T:
        """Queue a job, see it committed, return its answer."""
        job = self.submit(work, weight)
        with self._lock:
            if not job.done():
                self._drain()
        return job.result()

    def drain(self) -> None:
        """Commit everything that waits."""
        with self._lock:
            self._drain()

    def close(self) -> None:
        """Commit everything that waits and close the connection."""
        with self._lock:
            if not self._closed:
                self._closed = True
                self._drain()
                self._connection.close()

    def _drain(self) -> None:
        while self._queue:
            jobs, weight = [self._queue.popleft()], 0
            weight = jobs[0].weight
            while self._queue and weight + self._queue[0].weight <= MAX_GROUP:
                jobs.append(self._queue.popleft())
                weight += jobs[-1].weight
            self._commit(jobs)

    def _commit(self, jobs: list[Job[Any]]) -> None:
        try:
            answers = self._transaction(jobs)
        except Exception as error:
            if len(jobs) == 1:
                jobs[0].set_exception(error)
            else:
                for job in jobs:
                    self._commit([job])
            return
        self.commits += 1
        for job, answer in zip(jobs, answers, strict=True):
            job.set_result(answer)
        self._on_commit()

    def _transaction(self, jobs: list[Job[Any]]) -> list[Any]:
        with translated_errors():
            self._begin()
            try:
                answers = [job.work(self._connection) for job in jobs]
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise
        return answers

    def _begin(self) -> None:
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                self._connection.execute("BEGIN IMMEDIATE")
                return
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF not in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
                    raise
                if time.monotonic() > deadline:
                    raise StoreUnavailable(
                        f"the database is busy: another process has been writing for {PATIENCE:.0f} s"
                    ) from error

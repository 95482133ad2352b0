"""The single writer of a process, with group commit and without a thread of its own.

Callers put their jobs into a queue. The caller that gets the lock commits all queued jobs in one transaction and
completes them. So a single blocking caller needs no thread switch, and many callers share their commits.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

from signalbox.store.errors import StoreClosed, StoreLost, StoreUnavailable
from signalbox.store.sqlite.connection import is_busy, translated
from signalbox.store.sqlite.file import DatabaseFile
from signalbox.store.sqlite.job import Job
from signalbox.store.sqlite.saving import save_and_close

MAX_GROUP = 2000
"""The most events in one transaction, which limits how long other callers wait. A single job may be larger."""

LOCK_POLL_INTERVAL = 0.02
"""Seconds after which a caller that waits for the lock checks whether another caller has committed its job."""

T = TypeVar("T")


class Writer:
    """Runs jobs in group-committed transactions on one connection. Calls `on_commit` after each commit.

    When the database file is lost, `reopen` returns a new connection, or raises StoreUnavailable.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        file: DatabaseFile,
        reopen: Callable[[sqlite3.Connection], sqlite3.Connection],
        on_commit: Callable[[], None],
    ) -> None:
        self._connection = connection
        self._file = file
        self._reopen = reopen
        self._on_commit = on_commit
        self._queue: deque[Job[Any]] = deque()
        self._returned: deque[list[Job[Any]]] = deque()
        self._lock = threading.Lock()
        self._closed = False
        self.commits = 0

    @property
    def queued(self) -> int:
        """The number of jobs in the queue."""
        return len(self._queue)

    def submit(
        self, work: Callable[[sqlite3.Connection], T], weight: int = 1, future: Future[T] | None = None
    ) -> Job[T]:
        """Put a job into the queue. A coroutine waits for `future`. The caller must make sure that `drain()` runs."""
        if self._closed:
            raise StoreClosed("the store is closed")
        job = Job(work, weight, future)
        self._queue.append(job)
        return job

    def run(self, work: Callable[[sqlite3.Connection], T], weight: int = 1) -> T:
        """Queue a job, wait until it is committed, and return its result."""
        job = self.submit(work, weight)
        while not job.done:
            if self._lock.acquire(False) or self._lock.acquire(timeout=LOCK_POLL_INTERVAL):
                try:
                    # Stop after this job: the callers of later jobs drain the queue themselves.
                    while not job.done:
                        self._commit(self._next_group())
                finally:
                    self._lock.release()
            elif time.monotonic() >= job.deadline:
                job.expire()
        return job.result()

    def drain(self) -> None:
        """Commit all queued jobs."""
        with self._lock:
            self._drain()

    def reopen(self) -> None:
        """Try to open the lost database again, unless another thread is writing. Raises nothing."""
        if self._lock.acquire(blocking=False):
            try:
                reopened = not self._closed and self._file.lost is not None and self._try_to_reopen()
            finally:
                self._lock.release()
            if reopened:
                self._on_commit()

    def _try_to_reopen(self) -> bool:
        try:
            self._connection = self._reopen(self._connection)
        except StoreUnavailable:
            return False
        return True

    def close(self) -> None:
        """Commit all queued jobs and close the connection."""
        with self._lock:
            if not self._closed:
                self._closed = True
                self._drain()
                if self._file.compare():
                    self._connection.close()
                else:
                    save_and_close(self._connection, self._file)

    def _drain(self) -> None:
        while self._queue or self._returned:
            self._commit(self._next_group())

    def _next_group(self) -> list[Job[Any]]:
        if self._returned:
            return self._returned.popleft()
        jobs: list[Job[Any]] = []
        weight, now = 0, time.monotonic()
        while self._queue and (not jobs or weight + self._queue[0].weight <= MAX_GROUP):
            job = self._queue.popleft()
            if not job.claim():
                continue
            if job.deadline <= now:
                job.time_out()
                continue
            jobs.append(job)
            weight += job.weight
        return jobs

    def _commit(self, jobs: list[Job[Any]], *, again: bool = True) -> None:
        """Commit these jobs in one transaction and complete them. After an error, commit each job separately."""
        if not jobs:
            return
        results: list[Any] = []
        try:
            committed = self._transaction(jobs, results)
        except Exception as caught:
            error = self._file.record_error(caught)
            if again and isinstance(error, StoreLost) and self._try_to_reopen():
                self._commit(jobs, again=False)
                return
            if len(jobs) == 1:
                jobs[0].fail(error)
                return
            for number, job in enumerate(jobs):
                try:
                    self._commit([job])
                except BaseException:
                    self._returned.append(jobs[number + 1 :])
                    raise
            return
        except BaseException as error:
            # An interrupt concerns only this thread. Another thread commits the remaining jobs.
            if len(results) == len(jobs) and not self._connection.in_transaction:
                self._complete(jobs, results)
            else:
                self._return_to_queue(jobs, results, error)
            raise
        if committed:
            self._complete(jobs, results)

    def _complete(self, jobs: list[Job[Any]], results: list[Any]) -> None:
        self.commits += 1
        self._file.full = False
        waiting = deque(zip(jobs, results, strict=True))
        try:
            _complete_all(waiting)
        finally:
            # An interrupt between two jobs must leave no caller waiting for a result that never comes.
            try:
                _complete_all(waiting)
            finally:
                self._on_commit()

    def _return_to_queue(self, jobs: list[Job[Any]], results: list[Any], error: BaseException) -> None:
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")
        if jobs:
            # A job that is interrupted twice is not tried again.
            running = jobs[min(len(results), len(jobs) - 1)]
            if running.interrupted:
                running.fail(error)
            running.interrupted = True
        self._returned.append([job for job in jobs if not job.done])

    def _transaction(self, jobs: list[Job[Any]], results: list[Any]) -> bool:
        """Run the jobs and commit. Return False if the deadline of every job passes before the database is unlocked."""
        try:
            if self._file.lost is not None:
                self._connection = self._reopen(self._connection)
            if not self._begin(jobs):
                return False
            connection = self._connection
            try:
                results.extend(job.work(connection) for job in jobs)
                self._file.check()
                connection.execute("COMMIT")
            except Exception:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise
        except sqlite3.DatabaseError as error:
            # Not `translated_errors`: a context manager adds two microseconds to every commit.
            raise translated(error) from error
        return True

    def _begin(self, jobs: list[Job[Any]]) -> bool:
        """Begin a transaction. Jobs whose deadline passes meanwhile fail and are removed from `jobs`."""
        while jobs:
            try:
                self._connection.execute("BEGIN IMMEDIATE")
                return True
            except sqlite3.OperationalError as error:
                if not is_busy(error):
                    raise
            self._file.check()
            now = time.monotonic()
            for job in [job for job in jobs if job.deadline <= now]:
                jobs.remove(job)
                job.time_out()
        return False


def _complete_all(waiting: deque[tuple[Job[Any], Any]]) -> None:
    """Complete each job, and remove it afterwards. After an interrupt, a second call continues with the next job."""
    while waiting:
        job, result = waiting[0]
        if not job.done or (job.future is not None and not job.future.done()):
            job.complete(result)
        waiting.popleft()

"""The single writer of a process, with group commit and without a thread of its own.

Callers put their jobs into a queue. The caller that gets the lock commits all queued jobs in one transaction and
completes them. So a single blocking caller needs no thread switch, and many callers share their commits.
"""

from __future__ import annotations

import threading
import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

from signalbox.store.errors import StoreClosed
from signalbox.store.sql.database import Database
from signalbox.store.sql.group_commit.job import Job

MAX_GROUP = 2000
"""The most events in one transaction, which limits how long other callers wait. A single job may be larger."""

LOCK_POLL_INTERVAL = 0.02
"""Seconds after which a caller that waits for the lock checks whether another caller has committed its job."""

T = TypeVar("T")


class GroupCommit(ABC):
    """Runs jobs in group-committed transactions. Calls `on_commit` after each commit, unless all its jobs are quiet.

    A kind of store implements the transaction. Its methods are called with the lock held.
    """

    def __init__(self, on_commit: Callable[[], None]) -> None:
        self._on_commit = on_commit
        self._queue: deque[Job[Any]] = deque()
        self._returned: deque[list[Job[Any]]] = deque()
        self._lock = threading.Lock()
        self._closed = False
        self.commits = 0

    @abstractmethod
    def _transaction(self, jobs: list[Job[Any]], results: list[Any]) -> bool:
        """Run the jobs, add their results to `results`, and commit. On an error, roll back and raise it.

        Jobs that cannot be tried again, such as those whose deadline passes while the database is locked, are failed
        and removed from `jobs`. Return False if none remains.
        """

    @abstractmethod
    def _in_transaction(self) -> bool:
        """Return whether a transaction is open."""

    @abstractmethod
    def _rollback(self) -> None:
        """End the open transaction."""

    def _recovered(self, error: Exception) -> tuple[Exception, bool]:
        """Return the error for the callers, and whether the same transaction can be tried again."""
        return error, False

    def _succeeded(self) -> None:  # noqa: B027  # most kinds of stores need nothing here
        """Called after each commit, before the jobs are completed."""

    @abstractmethod
    def _close(self) -> None:
        """Close the connection."""

    @property
    def queued(self) -> int:
        """The number of jobs in the queue."""
        return len(self._queue)

    def submit(
        self,
        work: Callable[[Database], T],
        weight: int = 1,
        future: Future[T] | None = None,
        *,
        unchecked: bool = False,
        quiet: bool = False,
    ) -> Job[T]:
        """Put a job into the queue. A coroutine waits for `future`. The caller must make sure that `drain()` runs."""
        if self._closed:
            raise StoreClosed("the store is closed")
        job = Job(work, weight, future, unchecked=unchecked, quiet=quiet)
        self._queue.append(job)
        return job

    def run(self, work: Callable[[Database], T], weight: int = 1, *, unchecked: bool = False, quiet: bool = False) -> T:
        """Queue a job, wait until it is committed, and return its result."""
        job = self.submit(work, weight, unchecked=unchecked, quiet=quiet)
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

    def close(self) -> None:
        """Commit all queued jobs and close the connection."""
        with self._lock:
            if not self._closed:
                self._closed = True
                self._drain()
                self._close()

    def hold(self, timeout: float) -> bool:
        """Keep other threads from committing until `let_go`. Returns False if that fails within `timeout` seconds."""
        return self._lock.acquire(timeout=timeout)

    def let_go(self) -> None:
        """Undo `hold`."""
        self._lock.release()

    def after_fork(self) -> None:
        """Forget the lock and the jobs of the parent process, which commits them itself."""
        self._lock = threading.Lock()
        self._queue.clear()
        self._returned.clear()

    def _drain(self) -> None:
        while self._queue or self._returned:
            self._commit(self._next_group())

    def _next_group(self) -> list[Job[Any]]:
        if self._returned:
            return self._returned.popleft()
        jobs: list[Job[Any]] = []
        weight, now = 0, time.monotonic()
        while self._queue and (not jobs or weight + self._queue[0].weight <= MAX_GROUP):
            if jobs and self._queue[0].unchecked:
                break
            job = self._queue.popleft()
            if not job.claim():
                continue
            if job.deadline <= now:
                job.time_out()
                continue
            jobs.append(job)
            weight += job.weight
            if job.unchecked:
                break
        return jobs

    def _commit(self, jobs: list[Job[Any]], *, again: bool = True) -> None:
        """Commit these jobs in one transaction and complete them. After an error, commit each job separately."""
        if not jobs:
            return
        results: list[Any] = []
        try:
            committed = self._transaction(jobs, results)
        except Exception as caught:
            error, can_try_again = self._recovered(caught)
            if again and can_try_again:
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
            if len(results) == len(jobs) and not self._in_transaction():
                self._complete(jobs, results)
            else:
                self._return_to_queue(jobs, results, error)
            raise
        if committed:
            self._complete(jobs, results)

    def _complete(self, jobs: list[Job[Any]], results: list[Any]) -> None:
        self.commits += 1
        self._succeeded()
        waiting = deque(zip(jobs, results, strict=True))
        try:
            _complete_all(waiting)
        finally:
            # An interrupt between two jobs must leave no caller waiting for a result that never comes.
            try:
                _complete_all(waiting)
            finally:
                if not all(job.quiet for job in jobs):
                    self._on_commit()

    def _return_to_queue(self, jobs: list[Job[Any]], results: list[Any], error: BaseException) -> None:
        if self._in_transaction():
            self._rollback()
        if jobs:
            # A job that is interrupted twice is not tried again.
            running = jobs[min(len(results), len(jobs) - 1)]
            if running.interrupted:
                running.fail(error)
            running.interrupted = True
        self._returned.append([job for job in jobs if not job.done])


def refuse_expired(jobs: list[Job[Any]]) -> None:
    """Fail the claimed jobs whose deadline has passed, and remove them from the list."""
    now = time.monotonic()
    for job in [job for job in jobs if job.deadline <= now]:
        jobs.remove(job)
        job.time_out()


def fail_all(jobs: list[Job[Any]], error: Exception) -> None:
    """Fail the claimed jobs with the same error, and remove them from the list."""
    for job in jobs:
        job.fail(error)
    jobs.clear()


def _complete_all(waiting: deque[tuple[Job[Any], Any]]) -> None:
    """Complete each job, and remove it afterwards. After an interrupt, a second call continues with the next job."""
    while waiting:
        job, result = waiting[0]
        if not job.done or (job.future is not None and not job.future.done()):
            job.complete(result)
        waiting.popleft()

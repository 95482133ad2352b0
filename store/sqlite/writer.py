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
from typing import Any, TypeVar

from signalbox.store.errors import StoreClosed, StoreLost, StoreUnavailable
from signalbox.store.sqlite.connection import is_busy, translated
from signalbox.store.sqlite.file import DatabaseFile
from signalbox.store.sqlite.job import Job
from signalbox.store.sqlite.saving import save_and_close

MAX_GROUP = 2000
"""Events in one transaction at most (one job may be larger): it bounds how long the others wait."""

LOOK = 0.02
"""Seconds until a caller that waits for its turn looks whether somebody else has committed its job already."""

T = TypeVar("T")


class Writer:
    """Runs jobs in group-committed transactions on one connection. `on_commit` follows each commit.

    When the file of the connection is lost, `reopen` gives another connection, or raises.
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
        """Jobs that wait for a transaction."""
        return len(self._queue)

    def submit(
        self, work: Callable[[sqlite3.Connection], T], weight: int = 1, future: Future[T] | None = None
    ) -> Job[T]:
        """Queue a job, with the future that its caller waits for, if any. Somebody must `drain()` afterwards."""
        if self._closed:
            raise StoreClosed("the store is closed")
        job = Job(work, weight, future)
        self._queue.append(job)
        return job

    def run(self, work: Callable[[sqlite3.Connection], T], weight: int = 1) -> T:
        """Queue a job, see it committed, return its answer."""
        job = self.submit(work, weight)
        while not job.answered:
            if self._lock.acquire(False) or self._lock.acquire(timeout=LOOK):
                try:
                    # No longer than for this job: whoever comes later has somebody of their own who drains.
                    while not job.answered:
                        self._commit(self._next_group())
                finally:
                    self._lock.release()
            elif time.monotonic() >= job.deadline:
                job.expire()
        return job.result()

    def drain(self) -> None:
        """Commit everything that waits."""
        with self._lock:
            self._drain()

    def reopen(self) -> None:
        """Try to open the database again that is lost, unless somebody is at work here. Raises nothing."""
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
        """Commit everything that waits and close the connection."""
        with self._lock:
            if not self._closed:
                self._closed = True
                self._drain()
                if self._file.look():
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
                job.refuse()
                continue
            jobs.append(job)
            weight += job.weight
        return jobs

    def _commit(self, jobs: list[Job[Any]], *, again: bool = True) -> None:
        """Commit these jobs and answer each. An error undoes them all; each of several is then tried alone."""
        if not jobs:
            return
        answers: list[Any] = []
        try:
            committed = self._transaction(jobs, answers)
        except Exception as caught:
            error = self._file.noted(caught)
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
            # An interrupt hits this thread alone: somebody else commits what the neighbours brought.
            if len(answers) == len(jobs) and not self._connection.in_transaction:
                self._answer(jobs, answers)
            else:
                self._take_back(jobs, answers, error)
            raise
        if committed:
            self._answer(jobs, answers)

    def _answer(self, jobs: list[Job[Any]], answers: list[Any]) -> None:
        self.commits += 1
        self._file.full = False
        try:
            for job, answer in zip(jobs, answers, strict=True):
                job.answer(answer)
        finally:
            self._on_commit()

    def _take_back(self, jobs: list[Job[Any]], answers: list[Any], error: BaseException) -> None:
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")
        if jobs:
            # The one that was at work: if it raises this again, it is not returned again.
            culprit = jobs[min(len(answers), len(jobs) - 1)]
            if culprit.interrupted:
                culprit.fail(error)
            culprit.interrupted = True
        self._returned.append([job for job in jobs if not job.answered])

    def _transaction(self, jobs: list[Job[Any]], answers: list[Any]) -> bool:
        """Run the jobs, as many of them as get a lock before their deadline; False if none does."""
        try:
            if self._file.lost is not None:
                self._connection = self._reopen(self._connection)
            if not self._begin(jobs):
                return False
            connection = self._connection
            try:
                answers.extend(job.work(connection) for job in jobs)
                self._file.check()
                connection.execute("COMMIT")
            except Exception:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise
        except sqlite3.DatabaseError as error:
            # Not `translated_errors`: a context manager costs every commit two microseconds.
            raise translated(error) from error
        return True

    def _begin(self, jobs: list[Job[Any]]) -> bool:
        """Begin a transaction. Jobs whose deadline passes meanwhile are refused, and taken out."""
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
                job.refuse()
        return False

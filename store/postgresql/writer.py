"""The transactions of a PostgreSQL database, on one connection that is opened again when it is lost."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import psycopg
from psycopg.pq import TransactionStatus

from signalbox.store.errors import OutcomeUnknown, StoreError, StoreFull
from signalbox.store.postgresql.batches import batches, forget_prepared
from signalbox.store.postgresql.database import PostgresDatabase
from signalbox.store.postgresql.errors import is_lost, translated
from signalbox.store.postgresql.moved import is_refusal
from signalbox.store.sql.group_commit import GroupCommit, Job
from signalbox.store.sql.group_commit.writer import fail_all, refuse_expired
from signalbox.store.sql.moved import MOVED_TO, MOVING_FROM

OUTCOME_TIMEOUT = 5.0
"""Seconds to ask a restarted server whether an interrupted commit succeeded."""

_CHECK = (
    "SELECT value, current_setting('transaction_read_only'), extract(epoch FROM clock_timestamp())::double precision"
    " FROM store_facts WHERE name = 'epoch'"
    f" AND NOT EXISTS (SELECT 1 FROM store_facts WHERE name IN ('{MOVED_TO}', '{MOVING_FROM}'))"
)

log = logging.getLogger("signalbox.store")


class PostgresWriter(GroupCommit):
    """Commits on one connection. `connect` opens a new one, or raises StoreUnavailable.

    With `several` hosts, `connect` may lead to another server than the present connection.
    """

    def __init__(
        self,
        connection: psycopg.Connection,
        connect: Callable[[], psycopg.Connection],
        on_commit: Callable[[], None],
        *,
        several: bool = False,
    ) -> None:
        super().__init__(on_commit)
        self._connection = connection
        self._connect = connect
        self._process = os.getpid()
        self._several = several
        self.full = self.read_only = False
        self.clock_offset = 0.0

    def check(self, epoch: str) -> None:
        """Open a new connection unless the present one leads to a database with this epoch that was not moved.

        Does nothing while another thread writes. Raises StoreError.
        """
        if not self._lock.acquire(blocking=False):
            return
        try:
            if not self._closed and not self._leads_to(epoch):
                self._disconnect()
                self._connection, self._process = self._connect(), os.getpid()
        finally:
            self._lock.release()

    def _leads_to(self, epoch: str) -> bool:
        if self._process != os.getpid():
            return False
        try:
            found = self._connection.execute(_CHECK).fetchone()
        except psycopg.Error:
            return False
        if found is None:
            return False
        self.read_only = found[1] == "on"
        self.clock_offset = found[2] - time.time()
        # If the server is a standby now, another of the hosts may have taken over its role.
        return found[0] == epoch and not (self.read_only and self._several)

    def _recovered(self, error: Exception) -> tuple[Exception, bool]:
        if is_refusal(error.__cause__):
            # The store was moved. Opening the database again raises the error that says where.
            self._disconnect()
            try:
                self._connection = self._connect()
            except StoreError as refused:
                return refused, False
        self.full = self.full or isinstance(error, StoreFull)
        return error, False

    def _succeeded(self) -> None:
        self.full = self.read_only = False

    def _close(self) -> None:
        self._disconnect()

    def _disconnect(self) -> None:
        """Close the connection, unless this is a forked process: then the connection belongs to its parent."""
        if self._process == os.getpid():
            self._connection.close()

    def _in_transaction(self) -> bool:
        return self._connection.info.transaction_status not in (TransactionStatus.IDLE, TransactionStatus.UNKNOWN)

    def _rollback(self) -> None:
        with suppress(psycopg.Error):
            self._connection.execute("ROLLBACK")
            return
        self._connection.close()

    def _transaction(self, jobs: list[Job[Any]], results: list[Any]) -> bool:
        again = True
        while self._connected(jobs):
            results.clear()
            try:
                self._run(jobs, results)
                return True
            except psycopg.errors.LockNotAvailable:
                # Another process writes, or a program holds a lock on a table.
                refuse_expired(jobs)
            except OutcomeUnknown as error:
                # Another attempt could store the events twice.
                fail_all(jobs, error)
            except psycopg.errors.ReadOnlySqlTransaction as error:
                self.read_only = True
                raise translated(error) from error
            except psycopg.Error as error:
                # Only the first loss is repaired here: a server that ends every connection must be reported.
                if not (again and is_lost(error)):
                    raise translated(error) from error
                again = False
            except Exception:
                raise
            except BaseException:
                self._interrupted(jobs, results)
                raise
        return False

    def _connected(self, jobs: list[Job[Any]]) -> bool:
        """Return whether there are jobs and a connection for them. A lost connection is opened again."""
        if jobs and (self._connection.closed or self._process != os.getpid()):
            try:
                self._connection, self._process = self._connect(), os.getpid()
            except StoreError as error:
                # An attempt to connect may take many seconds, so there is one for all jobs.
                fail_all(jobs, error)
        return bool(jobs)

    def _run(self, jobs: list[Job[Any]], results: list[Any]) -> None:
        """Run and commit the jobs. If the connection is lost during the commit, find out whether it succeeded."""
        database: PostgresDatabase | None = None
        try:
            with batches(self._connection) as pipeline:
                database = PostgresDatabase(self._connection, pipeline)
                database.begin()
                results.extend(job.work(database) for job in jobs)
                database.commit()
        except psycopg.Error as error:
            self._abandon()
            if database is not None and len(results) == len(jobs) and is_lost(error) and self._was_committed(database):
                return
            raise
        except Exception:
            self._abandon()
            raise

    def _abandon(self) -> None:
        """End the transaction after an error. A connection in an unclear state is closed."""
        if self._connection.closed:
            return
        forget_prepared(self._connection)
        if self._connection.info.transaction_status == TransactionStatus.UNKNOWN:
            self._connection.close()
        elif self._in_transaction():
            self._rollback()

    def _interrupted(self, jobs: list[Job[Any]], results: list[Any]) -> None:
        """After an interrupt, fail the jobs if the connection does not tell whether they are committed."""
        if self._connection.info.transaction_status in (TransactionStatus.ACTIVE, TransactionStatus.UNKNOWN):
            self._connection.close()
            if len(results) == len(jobs):
                fail_all(jobs, OutcomeUnknown())

    def _was_committed(self, database: PostgresDatabase) -> bool:
        """Ask on a new connection whether a transaction was committed. Raises OutcomeUnknown."""
        self._connection.close()
        until = time.monotonic() + OUTCOME_TIMEOUT
        while True:
            connection: psycopg.Connection | None = None
            try:
                connection = self._connect()
                committed = database.was_committed(connection)
            except (StoreError, psycopg.Error) as error:
                if connection is not None:
                    connection.close()
                if time.monotonic() >= until:
                    raise OutcomeUnknown from error
                time.sleep(0.1)
            else:
                self._connection = connection
                if committed is None:
                    raise OutcomeUnknown
                return committed

"""The errors of PostgreSQL as the errors of the store. Messages name the cause, and never contain a password."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg import errors as pg

from signalbox.store.errors import StoreDamaged, StoreError, StoreFull, StoreUnavailable

_CAUSES: list[tuple[tuple[type[psycopg.Error], ...], str, float]] = [
    ((pg.ReadOnlySqlTransaction,), "the server accepts only reads now, as a standby does", 5),
    ((pg.QueryCanceled,), "the server ended a statement that took too long", 1),
    ((pg.LockNotAvailable,), "the database is busy: another process writes", 1),
    ((pg.TooManyConnections, pg.ConfigurationLimitExceeded), "the server has too many connections", 5),
    ((pg.AdminShutdown, pg.CrashShutdown, pg.CannotConnectNow), "the server is stopping or starting", 2),
    ((pg.IdleInTransactionSessionTimeout,), "the server ended a transaction that took too long", 1),
    ((pg.DeadlockDetected, pg.SerializationFailure), "the transaction conflicted with another one", 1),
    ((pg.InsufficientPrivilege,), "the user of the store's URL lacks a right", 30),
    ((pg.InvalidPassword, pg.InvalidAuthorizationSpecification), "the server refused the user or the password", 30),
    ((pg.InvalidCatalogName,), "the server has no such database", 30),
    (
        (pg.InvalidSqlStatementName, pg.DuplicatePreparedStatement),
        "a proxy does not keep prepared statements; put `prepare=off` into the store's URL",
        30,
    ),
    ((pg.OutOfMemory,), "the server has no memory left", 5),
]
"""Types of errors, the cause in words, and the seconds after which a retry makes sense."""


def translated(error: psycopg.Error) -> Exception:
    """Return the store's error for an error of PostgreSQL, or the same error if it is about the caller's data."""
    if isinstance(error, pg.DiskFull):
        return StoreFull(f"the server of the database has no room: {_text(error)}")
    if isinstance(error, pg.DataCorrupted | pg.IndexCorrupted):
        return StoreDamaged(f"the database is damaged: {_text(error)}")
    for kinds, cause, retry_after in _CAUSES:
        if isinstance(error, kinds):
            return StoreUnavailable(f"{cause}: {_text(error)}", retry_after=retry_after)
    if isinstance(error, psycopg.IntegrityError):
        return error
    if isinstance(error, psycopg.OperationalError | psycopg.InterfaceError):
        return StoreUnavailable(f"the database is not available: {_text(error)}")
    return StoreUnavailable(f"the database cannot be used: {_text(error)}", retry_after=30)


def not_reached(error: psycopg.Error) -> StoreError:
    """Return the store's error for a connection that could not be opened."""
    found = translated(error)
    if type(error) is not psycopg.OperationalError and isinstance(found, StoreError):
        return found
    return StoreUnavailable(f"the database cannot be reached: {_text(error)}", retry_after=5)


def is_lost(error: BaseException) -> bool:
    """Return whether the connection that raised this error is gone."""
    if not isinstance(error, psycopg.OperationalError | psycopg.InterfaceError):
        return False
    # Class 08, connection exceptions: a proxy reports with it that its connection to the server is gone.
    state = error.sqlstate
    gone = state is None or state.startswith("08")
    return gone or isinstance(error, pg.AdminShutdown | pg.CrashShutdown | pg.CannotConnectNow)


@contextmanager
def translated_errors() -> Iterator[None]:
    """Raise PostgreSQL's errors as the store's errors. Errors caused by the caller's data are raised unchanged."""
    try:
        yield
    except psycopg.Error as error:
        raise translated(error) from error


def _text(error: psycopg.Error) -> str:
    """Return the message of an error in one line. libpq never includes the password."""
    return "; ".join(line.strip() for line in str(error).splitlines() if line.strip()) or type(error).__name__

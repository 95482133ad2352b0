"""What can go wrong in the store, as types. Each says whether trying again helps.

StoreError
├── InvalidEvent       the caller's data breaks a rule; `field` names it          no retry
├── UnknownTask        no task has this id                                        no retry
├── NotFound           no account, token or project has this id                   no retry
├── NotAllowed         the server does not know the caller, or does not allow it   no retry
├── Conflict           the log says otherwise (a second answer, a taken id)       no retry
│   ├── LeaseLost      another process holds the consumer now                    no retry
│   └── UnreadableTask  the task's stored state is damaged; it can be deleted        no retry
├── UnknownStoreKind   the URL names a store that does not exist (yet)            no retry
├── SchemaTooNew       the database was written by a newer Signalbox              no retry
├── StoreDamaged       what was asked for is stored in a damaged part of the file  no retry, until it is repaired
├── StoreClosed        this store object was closed                               no retry
└── StoreUnavailable   the database is busy or gone; nothing was written          retry
    ├── StoreFull      there is no room on the disk                               retry, when there is room
    └── StoreLost      the open database file was deleted or replaced             retry, when there is one again

NestedView is no StoreError: it is a mistake in the program, which no caller should handle.
"""

from __future__ import annotations


class StoreError(Exception):
    """Base of all store errors; `retryable` tells whether the same call may succeed later."""

    retryable = False


class InvalidEvent(StoreError, ValueError):
    """The data given breaks a rule of the event model; `field` is the name of the offending field."""

    def __init__(self, message: str, field: str | None = None) -> None:
        super().__init__(message)
        self.field = field


class UnknownTask(StoreError, LookupError):
    """There is no task with the id `task_id`."""

    def __init__(self, task_id: str) -> None:
        super().__init__(f"there is no task {task_id!r}")
        self.task_id = task_id


class NotFound(StoreError, LookupError):
    """There is no account, token or project of that name."""


class NotAllowed(StoreError):
    """The server wants to know who asks (`known` is False), or does not allow it."""

    def __init__(self, message: str, *, known: bool) -> None:
        super().__init__(message)
        self.known = known


class Conflict(StoreError):
    """The log already says otherwise: what was asked for is over, answered or taken."""


class LeaseLost(Conflict):
    """This process does not hold the consumer any more; nothing was committed."""

    def __init__(self, name: str) -> None:
        super().__init__(f"the consumer {name!r} is held by another process now")


class UnreadableTask(Conflict):
    """The stored state of the task `task_id` is damaged: its log can be read, but nothing can be added to it."""

    def __init__(self, task_id: str) -> None:
        super().__init__(f"the stored state of the task {task_id!r} cannot be read; nothing can be added to its log")
        self.task_id = task_id


class UnknownStoreKind(StoreError, ValueError):
    """The store URL names a kind that this version cannot open."""


class SchemaTooNew(StoreError):
    """The database has migrations that this version does not know; upgrade Signalbox."""


class StoreClosed(StoreError):
    """The store was closed; open it again with `open_store(url)`."""


class StoreUnavailable(StoreError):
    """The database did not answer in time or cannot be reached. Nothing of the call was written."""

    retryable = True

    def __init__(self, message: str, retry_after: float = 1.0) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class StoreFull(StoreUnavailable):
    """There is no room on the disk for what should be written. Nothing of the call was written."""

    def __init__(self, message: str, retry_after: float = 30.0) -> None:
        super().__init__(message, retry_after)


class StoreDamaged(StoreError):
    """A part of the database file is damaged. To try again does not help; `signalbox doctor` says what does."""


class StoreLost(StoreUnavailable):
    """The open database file was deleted, moved or replaced. Nothing is written until there is a database again."""

    def __init__(self, message: str, retry_after: float = 5.0) -> None:
        super().__init__(message, retry_after)


class NestedView(RuntimeError):
    """A view was requested while one is held. Callers that do so can deadlock each other: read what is needed first."""

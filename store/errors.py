"""The errors of the store. Each says whether a retry can help.

StoreError
├── InvalidEvent       the caller's data breaks a rule; `field` names it          no retry
│   └── TooLarge       the file is larger than an artifact may be                  no retry
├── UnknownTask        no task has this id                                        no retry
│   └── TaskReplaced   the task was deleted, and another one has its id now       no retry
├── NotFound           no account, token or project has this id                   no retry
├── NotAllowed         the server does not know the caller, or does not allow it   no retry
├── Conflict           the stored state forbids it (a second answer, a taken id)  no retry
│   ├── LeaseLost      another process holds the lease now                        no retry
│   ├── TaskIsCold     the log is in cold storage; the store brings it back       no retry
│   └── UnreadableTask  the task's stored state is damaged; it can be deleted        no retry
├── NotSupported       the API of a server does not offer this call                no retry
├── UnknownStoreKind   the URL names a store that does not exist (yet)            no retry
├── SchemaTooNew       the database was written by a newer Signalbox              no retry
├── StoreDamaged       the data is in a damaged part of the database file         no retry, until it is repaired
│   └── ColdFileDamaged  the file of a task in cold storage is damaged or missing  no retry, until it is repaired
├── StoreClosed        this store object was closed                               no retry
├── StoreMoved         the store is at another URL now                            no retry; open `url`
└── StoreUnavailable   the database is busy or unreachable; nothing was written   retry
    ├── OutcomeUnknown  the commit may have succeeded                              retry with the same keys
    ├── StoreFull      the disk is full                                           retry, when there is room
    ├── TaskBeingRemoved  rows of a deleted task with this id are still removed    retry
    ├── StoreLost      the open database file was deleted or replaced             retry, once a database is there
    └── StoreIncomplete  a move into this database is unfinished                  retry, once the move is complete

NestedView is not a StoreError: it is a bug in the program, and no caller should handle it.
"""

from __future__ import annotations

from signalbox.store.urls import without_password

WHOLE_FILE = "the file"
"""The part that an error about a whole cold file names."""


class StoreError(Exception):
    """Base of all store errors. `retryable` says whether the same call may succeed later."""

    retryable = False


class InvalidEvent(StoreError, ValueError):
    """The caller's data breaks a rule. `field` is the name of the offending field, if it is known."""

    def __init__(self, message: str, field: str | None = None) -> None:
        super().__init__(message)
        self.field = field


class TooLarge(InvalidEvent):
    """A file is larger than an artifact may be."""

    def __init__(self, name: str, size: int, limit: int) -> None:
        super().__init__(f"{name} has {size:,} bytes, and an artifact may have at most {limit:,}", "content")


class UnknownTask(StoreError, LookupError):
    """There is no task with the id `task_id`."""

    def __init__(self, task_id: str) -> None:
        super().__init__(f"there is no task {task_id!r}")
        self.task_id = task_id


class TaskReplaced(UnknownTask):
    """The task that the caller means was deleted, and another task has the id `task_id` now."""

    def __init__(self, task_id: str) -> None:
        super().__init__(task_id)
        self.args = (f"the task {task_id!r} was deleted, and another task has its id now",)


class NotFound(StoreError, LookupError):
    """There is no account, token, project or saved view with this id."""


class NotAllowed(StoreError):
    """The server requires authentication (`known` is False), or does not allow the call."""

    def __init__(self, message: str, *, known: bool) -> None:
        super().__init__(message)
        self.known = known


class Conflict(StoreError):
    """The stored state forbids the call: for example, the request is already answered, or the id is taken."""


class LeaseLost(Conflict):
    """This process no longer holds the lease `name`. Nothing was written."""

    def __init__(self, name: str) -> None:
        super().__init__(f"the lease {name!r} is held by another process now")


class TaskIsCold(Conflict):
    """The log of the task `task_id` is in cold storage. The store brings it back before it appends an event."""

    def __init__(self, task_id: str) -> None:
        super().__init__(f"the log of the task {task_id!r} is in cold storage")
        self.task_id = task_id


class UnreadableTask(Conflict):
    """The stored state of the task `task_id` is damaged. Its log can be read, but nothing can be appended to it."""

    def __init__(self, task_id: str) -> None:
        super().__init__(f"the stored state of the task {task_id!r} cannot be read; nothing can be added to its log")
        self.task_id = task_id


class UnknownStoreKind(StoreError, ValueError):
    """The store URL names a kind that this version cannot open."""


class NotSupported(StoreError):
    """The store is a server, and its API does not offer this call. A database does."""

    def __init__(self, call: str) -> None:
        super().__init__(f"{call} needs a database: the API of a server does not offer it")
        self.call = call


class SchemaTooNew(StoreError):
    """The database has migrations that this version does not know. Upgrade Signalbox."""


class StoreClosed(StoreError):
    """The store was closed. Open it again with `open_store(url)`."""


class StoreMoved(StoreError):
    """The store was moved to `url` and can no longer be used at its old URL. Nothing of the call was written.

    Open the store at `url`. It may contain a password; the message contains none.
    """

    def __init__(self, url: str) -> None:
        super().__init__(f"the store was moved to {without_password(url)}; use that URL instead")
        self.url = url


class StoreUnavailable(StoreError):
    """The database did not answer in time or cannot be reached. Nothing of the call was written.

    There is one exception: `OutcomeUnknown`.
    """

    retryable = True

    def __init__(self, message: str, retry_after: float = 1.0) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class OutcomeUnknown(StoreUnavailable):
    """The connection or the wait ended during a commit, which may have succeeded.

    A retry with the same idempotency keys is safe.
    """

    def __init__(
        self, message: str = "the connection to the database was lost during a commit, which may have succeeded"
    ) -> None:
        super().__init__(message)


class StoreFull(StoreUnavailable):
    """The disk is full. Nothing of the call was written."""

    def __init__(self, message: str, retry_after: float = 30.0) -> None:
        super().__init__(message, retry_after)


class TaskBeingRemoved(StoreUnavailable):
    """Rows of a deleted task with the id `task_id` are still being removed, so no task can be created with this id."""

    def __init__(self, task_id: str) -> None:
        super().__init__(f"the rows of the deleted task {task_id!r} are still being removed; try again soon", 5.0)
        self.task_id = task_id


class StoreDamaged(StoreError):
    """A part of the database file is damaged. A retry does not help. `signalbox doctor` says what to do."""


class ColdFileDamaged(StoreDamaged):
    """The file of a task in cold storage is missing, or a part of it is not what was written: `part` names it.

    Only reads of that task fail. The database itself is whole.
    """

    def __init__(self, name: str, part: str, reason: str) -> None:
        fault = reason if part == WHOLE_FILE else f"is damaged: {part} {reason}"
        super().__init__(f"the cold file {name} {fault}")
        self.name, self.part = name, part

    @property
    def for_clients(self) -> str:
        """The message without the names of directories and buckets."""
        return str(self)


class StoreLost(StoreUnavailable):
    """The open database file was deleted, moved or replaced. Nothing is written until there is a database again."""

    def __init__(self, message: str, retry_after: float = 5.0) -> None:
        super().__init__(message, retry_after)


class StoreIncomplete(StoreUnavailable):
    """The database is the target of an unfinished move, so it does not have everything yet."""

    def __init__(self, message: str) -> None:
        super().__init__(message, 30.0)


class NestedView(RuntimeError):
    """A view was requested while the caller held one. Callers that do this can deadlock each other."""

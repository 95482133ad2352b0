"""Cold storage: moving the log of a task from the database to a file, and back."""

from __future__ import annotations

from abc import ABC, abstractmethod

import msgspec

from signalbox.store.contract.values import ColdTask, Who


class FinishedMoves(msgspec.Struct, frozen=True):
    """The result of `ColdStorage.afinish`: moves and restores that were completed, and files that were deleted.

    `failed` are the tasks whose move or restore cannot be finished because their file is missing or damaged, each with
    the reason.
    """

    tasks: list[str]
    files: list[str]
    failed: dict[str, str] = {}


class ColdStorage(ABC):
    """Moves tasks between the database and files, as `store.cold`. Its coroutines need an event loop.

    Reads do not notice where the log of a task is, and an append brings the task back first. A task has one complete
    log at every moment, also if a process is killed while it moves the task. The methods raise UnknownTask,
    StoreUnavailable, StoreDamaged for a file that is missing or damaged, and InvalidEvent if `place` is not set.
    """

    @property
    @abstractmethod
    def place(self) -> str | None:
        """The directory or the URL of the bucket where new files go. None if cold storage has no place yet."""

    @property
    @abstractmethod
    def damaged_files(self) -> int:
        """The number of files that reads of this process found damaged in the last hour."""

    @abstractmethod
    async def amove(
        self, task_id: str, *, identity: str | None = None, actor: str | Who | None = None, source: str | None = None
    ) -> ColdTask:
        """Move a task that ended to cold storage, with an audit if there is an `actor`.

        Other writers wait at most a few milliseconds for each step. Raises TaskNotMovable, a Conflict, for a task that
        has not ended, is held, changes meanwhile, or is in cold storage already.
        """

    @abstractmethod
    async def arestore(
        self, task_id: str, *, identity: str | None = None, actor: str | Who | None = None, source: str | None = None
    ) -> bool:
        """Bring a task back to the database. Return whether its log was in cold storage."""

    @abstractmethod
    async def averify(self, task_id: str) -> ColdTask:
        """Read the whole file of a task and check every part. Raises Conflict if the log is in the database."""

    @abstractmethod
    async def amissing(self) -> list[ColdTask]:
        """Return the tasks whose file is not at its place. This lists the places and reads no file."""

    @abstractmethod
    async def afinish(self) -> FinishedMoves:
        """Finish the moves and restores of processes that were killed, and delete files that no task has.

        Temporary files that such processes left on this machine are deleted too.
        Files of other stores at the same place are kept: the name of a file begins with the epoch of its store.
        """

    @abstractmethod
    def close(self) -> None:
        """Stop restoring. Another process, or the next start, continues."""

"""Errors of cold storage. All are store errors, so pages and the API answer them like those of the database."""

from __future__ import annotations

from signalbox.store.errors import WHOLE_FILE, ColdFileDamaged, Conflict, StoreUnavailable


class ColdFileMissing(ColdFileDamaged):
    """There is no such file at the place."""

    def __init__(self, name: str, place: str) -> None:
        super().__init__(name, WHOLE_FILE, f"is missing in {place}")

    @property
    def for_clients(self) -> str:
        return f"the cold file {self.name} is missing"


class NotAColdFile(ColdFileDamaged):
    """The file is none of this format."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(name, WHOLE_FILE, reason)


class ColdFileTooNew(NotAColdFile):
    """A newer version wrote the file."""


class ColdPlaceUnavailable(StoreUnavailable):
    """The directory or the bucket of the cold files cannot be used now."""


class ColdFileUnreadable(StoreUnavailable):
    """This machine cannot read the file now, for example because its temporary directory is full."""


class TaskChanged(Conflict):
    """The task changed while it was packed. Nothing was stored."""

    def __init__(self, task_id: str) -> None:
        super().__init__(f"the task {task_id!r} changed while it was packed")
        self.task_id = task_id


class UnpackableTask(Conflict):
    """A row of the task is damaged, so the task stays in the database."""

    def __init__(self, task_id: str, reason: str) -> None:
        super().__init__(f"the task {task_id!r} cannot be packed: {reason}")
        self.task_id = task_id

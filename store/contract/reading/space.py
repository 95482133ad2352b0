"""Reads of the space that tasks take, for retention and for the page that shows it."""

from __future__ import annotations

from typing import Protocol

import msgspec

EVENT_BYTES, SPAN_BYTES, PAYLOAD_FACTOR = 250, 400, 1.1
"""About how many bytes an event takes besides its payload, with its index entries; a span; and a byte of payload."""


class TaskSize(msgspec.Struct, frozen=True):
    """About how many bytes a task takes up to `seq`: its log, and its artifacts, which other tasks may share.

    `ended_at` is the time from which the age of the task counts: that of its last event or of its import. It is None
    as long as the task has not ended.
    """

    task_id: str
    identity: str
    seq: int
    bytes: int
    artifacts: int
    ended_at: str | None


class ChangedSize(msgspec.Struct, frozen=True):
    """A task whose log has grown to `latest_seq` since it was measured. `measured` is None if it never was."""

    task_id: str
    identity: str
    latest_seq: int
    measured: TaskSize | None


class EndedTask(msgspec.Struct, frozen=True):
    """A task that has ended, with the facts that rules need. `cold` says whether its log is in cold storage."""

    task_id: str
    identity: str
    latest_seq: int
    project_id: str
    kind: str | None
    ended_at: str
    bytes: int
    cold: bool


class KindSpace(msgspec.Struct, frozen=True):
    """The tasks of one kind in one project: about how many bytes they take, and how many of them are in cold storage.

    `bytes` and `artifacts` are in the database. `cold_bytes` are in the files of cold storage.
    """

    project_id: str
    kind: str | None
    tasks: int
    held: int
    bytes: int
    artifacts: int
    cold_tasks: int
    cold_bytes: int


class DatabaseSpace(msgspec.Struct, frozen=True):
    """The bytes of the database, of which `free` are in pages that it can use again.

    `returns` says whether free pages can be returned to the file system while programs use the database.
    """

    bytes: int
    free: int
    returns: bool


class SpaceReading(Protocol):
    """Reads of space. Sizes of tasks are measured some time after a task changes, so they are approximate."""

    async def changed_sizes(self, after: str, limit: int) -> list[ChangedSize]:
        """Return tasks with ids after `after` that have changed since they were measured, by id."""

    async def log_bytes(self, task_id: str, since_seq: int, until_seq: int) -> int:
        """Return about how many bytes the events after a seq, up to another one, take."""

    async def artifact_bytes(self, task_id: str) -> int:
        """Return the size of the artifacts of a task."""

    async def is_imported(self, task_id: str) -> bool:
        """Return whether the log of a task was imported."""

    async def ended_tasks(self, before: str, after: tuple[str, str], limit: int) -> list[EndedTask]:
        """Return tasks that ended before a time, by the time of their end and their id, and that nobody holds.

        `after` are the time and the id of the last task of the page before, or empty texts.
        """

    async def space_by_kind(self) -> list[KindSpace]:
        """Return the space of each kind of task in each project, the largest first."""

    async def database_space(self) -> DatabaseSpace:
        """Return the size of the database."""

    async def space_samples(self) -> list[tuple[str, str]]:
        """Return the day and the JSON of each sample, in order."""

    async def removals(self) -> int:
        """Return the number of deleted tasks of which rows are still to be removed."""

    async def retention_state(self) -> str:
        """Return the JSON that the process that applies the rules stored last, or ""."""

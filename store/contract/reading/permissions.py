"""Reading permission requests: those of one task, and the open ones of all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from signalbox.store.state import Permission, Task


class TaskPermissionReading(Protocol):
    """The permission requests of one task."""

    async def permission(self, task_id: str, request_id: str) -> Permission | None:
        """One request, or None."""

    async def permissions(
        self, task_id: str, *, open_only: bool = True, after: int = 0, limit: int | None = None
    ) -> list[Permission]:
        """The first `limit` requests (None: all) that were made after the seq `after`, by seq."""


class PermissionReading(Protocol):
    """The open permission requests of all tasks, or of one.

    `projects` restricts a method to the tasks of these projects; None means all projects.
    """

    async def open_permissions(
        self, limit: int = 200, projects: Sequence[str] | None = None, task_id: str | None = None, after: str = ""
    ) -> list[tuple[Task, Permission]]:
        """The first `limit` open requests after the cursor `after`, the oldest tasks first, within a task by seq.

        `tasklist.place_of` makes the cursor of a request. Raises InvalidEvent for a bad cursor.
        """

    async def count_open_permissions(self, projects: Sequence[str] | None = None, task_id: str | None = None) -> int:
        """How many requests are open."""

    async def expiring_permissions(
        self, after: tuple[str, str] = ("", ""), limit: int = 1000
    ) -> list[tuple[str, str, int, str, str, str]]:
        """The open requests that expire at some time, by task id and request id; the first `limit` after such a pair.

        Each is (task id, request id, seq, span id, `expires_at`, identity of the task).
        """

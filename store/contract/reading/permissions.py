"""Reads of permission requests: those of one task, and the open ones of all tasks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from signalbox.store.state import Permission, Task


class TaskPermissionReading(Protocol):
    """Reads of the permission requests of one task."""

    async def permission(self, task_id: str, request_id: str) -> Permission | None:
        """Return one request, or None."""

    async def permissions(
        self, task_id: str, *, open_only: bool = True, after: int = 0, limit: int | None = None
    ) -> list[Permission]:
        """Return the first `limit` requests (None: all) that were opened after the seq `after`, by seq."""


class PermissionReading(Protocol):
    """Reads of the permission requests of all tasks, or of one.

    `projects` restricts a method to the tasks of these projects; None means all projects.
    """

    async def open_permissions(
        self, limit: int = 200, projects: Sequence[str] | None = None, task_id: str | None = None, after: str = ""
    ) -> list[tuple[Task, Permission]]:
        """Return the first `limit` open requests after the cursor `after`, oldest tasks first, within a task by seq.

        `task_query.permission_cursor` returns the cursor of a request. Raises InvalidEvent for a bad cursor.
        """

    async def closed_permissions(
        self, limit: int = 200, projects: Sequence[str] | None = None, task_id: str | None = None, before: str = ""
    ) -> list[tuple[Task, Permission]]:
        """Return the newest `limit` closed requests before the cursor `before`, by the time when they were closed.

        `task_query.closed_permission_cursor` returns the cursor of a request. Raises InvalidEvent for a bad cursor.
        """

    async def count_open_permissions(self, projects: Sequence[str] | None = None, task_id: str | None = None) -> int:
        """Return how many requests are open."""

    async def expiring_permissions(
        self, after: tuple[str, str] = ("", ""), limit: int = 1000
    ) -> list[tuple[str, str, int, str, str, str]]:
        """Return the first `limit` open requests with an expiry after the pair `after`, by (task id, request id).

        Each is (task id, request id, seq, span id, `expires_at`, identity of the task).
        """

"""Reads of the tasks in cold storage."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from signalbox.store.contract.values import ColdCounts, ColdTask, MovableTask


class ColdReading(Protocol):
    """Reads of the tasks whose log is in a file of cold storage.

    A task has one complete log at every moment: in its file if these reads return the task, else in the database. While
    a task is moved there or back, some of its rows may be in the database too; they do not count then.
    """

    async def cold_task(self, task_id: str) -> ColdTask | None:
        """Return the place of the log of a task, or None if its log is in the database."""

    async def cold_tasks(self, after: str = "", limit: int = 100) -> list[ColdTask]:
        """Return the first `limit` tasks in cold storage after the task id `after`, sorted by task id."""

    async def cold_tasks_with_events_after(
        self, event_id: int, limit: int, tasks: Sequence[str] = (), projects: Sequence[str] | None = None
    ) -> list[ColdTask]:
        """Return the tasks in cold storage that have events after `event_id`, in the order of their first such event.

        The arguments are those of `LogReading.events_after`. A task counts with `max(first_event_id, event_id + 1)`,
        and at most `limit` tasks are returned.
        """

    async def tasks_to_move(self, before: str, after: tuple[str, str], limit: int) -> list[MovableTask]:
        """Return tasks that ended and had no event since `before`, a time to the second, the oldest first.

        Tasks that are held are left out. `after` is the `active_at` and the id of the last task of the page before.
        """

    async def cold_counts(self) -> ColdCounts:
        """Return how many tasks are in cold storage or on their way, and how large their files are."""

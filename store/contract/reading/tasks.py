"""Reads of tasks: a single task, and the task list."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from signalbox.store.contract.values import Facets, SameError, Standing, TaskPage
from signalbox.store.state import Task, Unfinished
from signalbox.store.task_query import SavedView, TaskQuery

MAX_PAGE_BYTES = 4 * 1024 * 1024
"""Bytes of the stored states on one page of tasks, apart from its first task. A usual state has two kilobytes, one with
long metadata 256 KiB."""
MAX_LAST_LINE = 500
LAST_LINE_EVENTS = 20
MAX_FACET_TAGS = 50


class OneTaskReading(Protocol):
    """Reads of one task without its log."""

    async def task(self, task_id: str) -> Task:
        """Return the task. Raises UnknownTask. A task whose stored state is damaged has `unreadable` set."""

    async def unfinished(self, task_id: str) -> list[Unfinished]:
        """Return the lines that the run may still change, in order. An earlier seq has none. Raises UnknownTask."""


class TaskListReading(Protocol):
    """Reads of all tasks. `projects` restricts a method to the tasks of these projects; None means all projects."""

    async def tasks(self, query: TaskQuery) -> TaskPage:
        """Return one page of the tasks that `query` describes, in its order. Raises InvalidEvent for a bad cursor.

        A page has fewer tasks than the limit, and a cursor, if more would have over `MAX_PAGE_BYTES`.
        """

    async def facets(self, query: TaskQuery) -> Facets:
        """Return the numbers of tasks by status, kind, project and tag, at most `MAX_FACET_TAGS` tags.

        The order and the page of `query` do not matter.
        """

    async def count_by_status(
        self, projects: Sequence[str] | None = None, archived: bool | None = None
    ) -> dict[str, int]:
        """Return how many tasks have each status. Statuses without tasks are absent.

        With `archived` True only archived tasks are counted, with False only the others, with None both.
        """

    async def count_stale(self, projects: Sequence[str] | None = None) -> int:
        """Return how many tasks are stale and not archived."""

    async def count_archived(self, projects: Sequence[str] | None = None) -> int:
        """Return how many tasks are archived."""

    async def same_error(self, task_id: str, limit: int = 1000) -> SameError | None:
        """Return how often the error of a run occurred in its project, counting at most `limit` runs.

        Returns None for a run that did not fail.
        """

    async def undiagnosed(self, limit: int) -> list[str]:
        """Return up to `limit` failed runs without a fingerprint, the newest first."""

    async def project_names(self, projects: Sequence[str] | None = None) -> dict[str, str]:
        """Return the names of projects by their ids, in the order of the names."""

    async def saved_views(self, projects: Sequence[str] | None = None) -> list[SavedView]:
        """Return the saved views of these projects, and those that belong to no project, by name."""

    async def last_lines(self, task_ids: Sequence[str]) -> dict[str, str]:
        """Return the newest line of output of each of these tasks, at most `MAX_LAST_LINE` characters of it.

        Lines that only end a group are skipped. Only the last `LAST_LINE_EVENTS` events are searched. Tasks without a
        line there are absent.
        """

    async def standings(self, task_ids: Sequence[str]) -> dict[str, Standing]:
        """Return the standing of each of these tasks. Tasks that do not exist are absent.

        A task in a damaged part of the database is neither archived nor stale here. It is absent if its newest seq
        cannot be read.
        """

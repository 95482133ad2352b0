"""One page of the task list, with its counts and filters."""

from __future__ import annotations

from dataclasses import dataclass

from signalbox.store import Reading, SavedView, TaskQuery
from signalbox.store.state import Task
from signalbox.webapp.views.list_query import list_fields


@dataclass(frozen=True, kw_only=True)
class TaskListView:
    """One page of the task list. `counts` are by status, of all tasks that are archived or are not, as the query asks.

    `stale` and `archived` count all tasks that are; `cursor` leads to the tasks that follow. `projects` has the names
    of those that the reader sees.
    """

    query: TaskQuery
    tasks: list[Task]
    counts: dict[str, int]
    stale: int
    archived: int
    projects: dict[str, str]
    saved: list[SavedView]
    cursor: str | None
    event_id: int
    manages: bool = True

    @property
    def filtered(self) -> bool:
        """Whether the query leaves any task out."""
        return bool(list_fields(self.query, "sort")) or self.query.sort == "longest"

    @property
    def besides_rows(self) -> tuple[object, ...]:
        """Everything that the page shows besides its rows."""
        return self.counts, self.stale, self.archived, self.projects, self.saved, self.cursor


async def task_list_view(view: Reading, query: TaskQuery, *, manages: bool = True) -> TaskListView:
    """The tasks of one page of `query`, for somebody who `manages` tasks and views or only reads.

    Raises InvalidEvent for a cursor that no page gave.
    """
    page = await view.tasks(query)
    return TaskListView(
        query=query,
        tasks=page.tasks,
        counts=await view.count_by_status(query.within, archived=query.archived or False),
        stale=await view.count_stale(query.within),
        archived=await view.count_archived(query.within),
        projects=await view.project_names(query.projects),
        saved=await view.saved_views(query.projects),
        cursor=page.cursor,
        event_id=page.event_id,
        manages=manages,
    )

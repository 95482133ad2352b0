"""One page of the task list, with its counts and filters."""

from __future__ import annotations

from dataclasses import dataclass

from signalbox.store import Reading, SavedView, TaskQuery
from signalbox.store.state import Task
from signalbox.webapp.views.list_query import list_fields


@dataclass(frozen=True, kw_only=True)
class TaskListView:
    """One page of the task list. `counts` has the number of tasks by status, archived or not as the query says.

    `stale` and `archived` are the numbers of such tasks. `cursor` leads to the next page. `projects` has the names of
    the projects that the reader sees, by id.
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
        """Whether the query excludes any task."""
        return bool(list_fields(self.query, "sort")) or self.query.sort == "longest"

    @property
    def has_usage(self) -> bool:
        """Whether any task of the page has tokens or a cost, so that the list has a column for them."""
        return any(task.usage for task in self.tasks)

    @property
    def outside_rows(self) -> tuple[object, ...]:
        """Everything that the page shows outside its rows."""
        return self.counts, self.stale, self.archived, self.projects, self.saved, self.cursor, self.has_usage


async def task_list_view(view: Reading, query: TaskQuery, *, manages: bool = True) -> TaskListView:
    """Read one page of `query`. `manages`: the reader may archive tasks and save views.

    Raises InvalidEvent if no page has given the cursor.
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

"""One page of the task list, with its counts and filters."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b

import msgspec

from signalbox.store import Reading, SavedView, TaskQuery
from signalbox.store.contract import Facets
from signalbox.store.state import Task
from signalbox.webapp.views.list_query import list_fields
from signalbox.webapp.views.search_query import SAVED_PREFIX

MAX_VALUES = 60
"""The values that a filter offers at most."""


@dataclass(frozen=True, kw_only=True)
class TaskListView:
    """One page of the task list. `facets` has the numbers of tasks that each filter would leave.

    `last_lines` has the newest line of output of each task without an error. `archived` is the number of archived
    tasks. `cursor` leads to the next page. `projects` has the names of the projects that the reader sees, by id.
    """

    query: TaskQuery
    tasks: list[Task]
    last_lines: dict[str, str]
    facets: Facets
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
    def kinds(self) -> dict[str, int]:
        """The kinds that the filter offers, with their numbers of tasks: the chosen one first, then the largest."""
        return _chosen_first(self.facets.kinds, self.query.kind)

    @property
    def projects_found(self) -> dict[str, int]:
        """The ids of the projects that the filter offers, in the same way."""
        return _chosen_first(self.facets.projects, self.query.project)

    @property
    def offered_tags(self) -> list[tuple[str, str, int]]:
        """The tags that narrow the list: the name, the value and the number of tasks of each."""
        return [tag for tag in self.facets.tags if tag[:2] not in self.query.tags]

    @property
    def outside_rows(self) -> tuple[object, ...]:
        """Everything that the page shows outside its rows."""
        return self.facets, self.archived, self.projects, self.saved, self.cursor, self.has_usage

    @cached_property
    def state(self) -> str:
        """The name of what the page shows. It can change without an event, so the position does not tell it."""
        content = msgspec.json.encode((self.outside_rows, self.tasks, self.last_lines))
        return blake2b(content, digest_size=8).hexdigest()


def _chosen_first(counts: dict[str, int], chosen: str | None) -> dict[str, int]:
    first = {chosen: counts.get(chosen, 0)} if chosen else {}
    return dict(list((first | counts).items())[:MAX_VALUES])


async def task_list_view(view: Reading, query: TaskQuery, *, manages: bool = True) -> TaskListView:
    """Read one page of `query`. `manages`: the reader may archive tasks and save views.

    Raises InvalidEvent if no page has given the cursor.
    """
    page = await view.tasks(query)
    return TaskListView(
        query=query,
        tasks=page.tasks,
        last_lines=await view.last_lines([task.task_id for task in page.tasks if not task.error]),
        facets=await view.facets(query),
        archived=await view.count_archived(query.within),
        projects=await view.project_names(query.projects),
        saved=[one for one in await view.saved_views(query.projects) if not one.filters.startswith(SAVED_PREFIX)],
        cursor=page.cursor,
        event_id=page.event_id,
        manages=manages,
    )

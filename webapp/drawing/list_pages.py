"""The task list and the permission inbox as HTML, whole and as frames."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Any

from jinja2 import Template
from markupsafe import Markup

from signalbox.store.state import Task
from signalbox.webapp.drawing import ids
from signalbox.webapp.drawing.log_groups import without_marker
from signalbox.webapp.drawing.swaps import position, swap
from signalbox.webapp.drawing.templates import Templates
from signalbox.webapp.views.permissions import InboxView
from signalbox.webapp.views.task_list import TaskListView
from signalbox.webapp.views.watch import Tile


class ListPages(Templates):
    """Renders the pages that list tasks or permission requests."""

    def list_page(
        self, view: TaskListView, *, archived: Sequence[Task] = (), stream_path: str = "", **layout: Any
    ) -> str:
        """Return the task list as a page, which is live if there is a `stream_path`.

        It offers to restore the tasks in `archived`.
        """
        return self._render_page(
            "tasks/index.html",
            layout,
            view=view,
            panel=Markup(self.list_panel(view)),
            archived=archived,
            stream_path=stream_path,
            live_list=bool(stream_path),
            place="tasks",
        )

    def list_panel(self, view: TaskListView) -> str:
        """Return the part of the list page that changes: filters with their counts, rows, links to other pages."""
        return self._render("tasks/_list.html", view=view, rows=[Markup(row) for _, row in self.list_rows(view)])

    def list_rows(self, view: TaskListView) -> list[tuple[str, str]]:
        """Return the rows of a page of the list, each with its task's id."""
        names = view.projects if len(view.projects) > 1 else {}
        values = {"project_names": names, "pick": view.manages, "has_usage": view.has_usage}
        lines = {task_id: without_marker(line) for task_id, line in view.last_lines.items()}
        return [(task.task_id, self._list_row(task, line=lines.get(task.task_id), **values)) for task in view.tasks]

    def _list_row(self, task: Task, **values: Any) -> str:
        try:
            return self._task_row.render(task=task, **values)
        except Exception:  # A row that cannot be drawn affects no other row.
            plain = Task(
                task_id=task.task_id,
                created_at=task.created_at,
                updated_at=task.updated_at,
                main_span_id="",
                project_id=task.project_id,
                status=task.status,
                unreadable=True,
            )
            return self._task_row.render(task=plain, **values)

    def list_frame(self, view: TaskListView, since: int) -> str:
        """Return the frame that replaces the whole list panel of a page at the position `since`."""
        return position(since, view.event_id) + swap(ids.TASK_LIST, "outerMorph", self.list_panel(view))

    def list_frame_rows(self, view: TaskListView, since: int, changed: dict[str, str]) -> str:
        """Return the same if at most some rows differ; `changed` has their HTML by task id."""
        rows = (swap(ids.task(task_id), "outerMorph", row) for task_id, row in changed.items())
        state = swap(ids.TASK_LIST_STATE, "outerHTML", self._render("tasks/_list_state.html", view=view))
        return position(since, view.event_id) + "\n".join([*rows, state])

    def watch_tiles(self, tiles: Iterable[Tile]) -> dict[str, str]:
        """Return the tiles of runs that are watched together, by DOM id."""
        return {ids.tile(tile.task.task_id): self._render("watch/_tile.html", tile=tile) for tile in tiles}

    def inbox_page(self, inbox: InboxView, *, stream_path: str = "", **layout: Any) -> str:
        """Return the open permission requests as a page, which is live if there is a `stream_path`."""
        return self._render_page(
            "permissions/index.html",
            layout,
            inbox=inbox,
            panel=Markup(self.inbox_panel(inbox)),
            stream_path=stream_path,
            place="permissions",
        )

    def inbox_panel(self, inbox: InboxView) -> str:
        """Return the part of the inbox that changes."""
        return self._render("permissions/_inbox.html", inbox=inbox)

    def inbox_frame(self, inbox: InboxView, since: int) -> str:
        """Return the frame that brings the inbox page from the position `since` to `inbox`."""
        return position(since, inbox.event_id) + swap(ids.INBOX, "outerMorph", self.inbox_panel(inbox))

    @cached_property
    def _task_row(self) -> Template:
        return self._environment.get_template("tasks/_row.html")

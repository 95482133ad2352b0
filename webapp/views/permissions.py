"""The permission inbox and one permission request, each read in one consistent view of the store."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlencode

import msgspec
from werkzeug.exceptions import NotFound

from signalbox.store import Reading, TaskReading
from signalbox.store.bounded_reads import bounded_read
from signalbox.store.state import Permission, Task
from signalbox.store.task_query import closed_permission_cursor, permission_cursor
from signalbox.webapp.auth.principal import ProjectIds

INBOX_PAGE = 50
"""Requests on one page at most."""

MAX_PAGE_BYTES = 4 * 1024 * 1024
"""Bytes of the requests and their tasks on one page at most, as JSON. Both may have 256 KiB."""

STEPS = 17, 34
"""Requests of the first query, and of the second one."""

Tab = Literal["open", "answered"]
"""The parts of the inbox. Requests that expired or were cleared count as answered."""


@dataclass(frozen=True, kw_only=True)
class InboxView:
    """The open permission requests of all tasks, oldest first, or the answered ones, newest first.

    `total` also counts the open ones on other pages; it is 0 for the answered ones.
    """

    requests: list[tuple[Task, Permission]]
    total: int
    event_id: int
    tab: Tab = "open"
    answered: ProjectIds = None
    task_id: str | None = None
    after: str = ""
    next: str | None = None

    def address(self, after: str | None = None) -> str:
        """Return the address of the page after the cursor `after`, or of the first page."""
        fields = {"show": self.tab if self.tab != "open" else "", "task": self.task_id, "after": after}
        query = urlencode({name: value for name, value in fields.items() if value})
        return f"/permissions?{query}" if query else "/permissions"

    @property
    def signature(self) -> tuple[object, ...]:
        """A value that differs if the page differs, unless an event was erased."""
        shown = [
            (task.task_id, task.identity, task.title, one.request_id, one.changed_seq) for task, one in self.requests
        ]
        return self.total, self.next, *shown

    def may_answer(self, task: Task) -> bool:
        """Whether the reader may answer this task's requests."""
        return self.answered is None or task.project_id in self.answered


async def inbox_view(
    view: Reading,
    projects: ProjectIds = None,
    answered: ProjectIds = None,
    *,
    tab: Tab = "open",
    task_id: str | None = None,
    after: str = "",
) -> InboxView:
    """Return a page of the requests in `projects`, or of one task. The reader may answer those in `answered`.

    Raises InvalidEvent for an `after` that no page gave.
    """
    is_open = tab == "open"
    read = view.open_permissions if is_open else view.closed_permissions
    cursor_of = permission_cursor if is_open else closed_permission_cursor
    # One more request tells whether there is another page.
    found, more = await bounded_read(
        lambda last, limit: read(limit, projects, task_id, cursor_of(*last) if last else after),
        INBOX_PAGE + 1,
        MAX_PAGE_BYTES,
        lambda one: len(msgspec.json.encode(one)),
        steps=STEPS,
    )
    shown = found[:INBOX_PAGE]
    return InboxView(
        requests=shown,
        total=await view.count_open_permissions(projects, task_id) if is_open else 0,
        event_id=await view.latest_event_id(),
        tab=tab,
        answered=answered,
        task_id=task_id,
        after=after,
        next=cursor_of(*shown[-1]) if more else None,
    )


@dataclass(frozen=True, kw_only=True)
class PermissionView:
    """One permission request of a task, open or not."""

    task: Task
    permission: Permission


async def permission_view(view: TaskReading, task_id: str, request_id: str) -> PermissionView:
    """Read a request, with its answer if it has one. Raises UnknownTask or NotFound."""
    task = await view.task(task_id)
    permission = await view.permission(task_id, request_id)
    if permission is None:
        raise NotFound
    return PermissionView(task=task, permission=permission)

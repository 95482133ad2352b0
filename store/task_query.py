"""The query of the task list: its filters, orders and cursors. Also the cursor of the open permission requests."""

from __future__ import annotations

import re
from typing import Literal, get_args

import msgspec

from signalbox.store.errors import Conflict, InvalidEvent
from signalbox.store.state import Permission, Task
from signalbox.store.times import epoch_seconds, now, timestamp

Sort = Literal["newest", "oldest", "active", "longest"]
SORTS: tuple[Sort, ...] = get_args(Sort)
"""newest, oldest: by creation. active: by the second of the last event, latest first. longest: ended, by duration."""

RELATIVE_TIME_PATTERN = r"^(?:[1-9][0-9]{0,4}[mhd])?$"
CURSOR_PATTERN = r"^(?:[0-9][0-9.eE+:TZ-]{0,40}~[A-Za-z0-9_.:-]{1,128})?$"
"""JSON Schema patterns of a relative time and of the cursor of a page of tasks. Both may be empty."""
MAX_CURSOR_CHARS = 256
_CURSOR = re.compile(CURSOR_PATTERN)
_AGO = re.compile(r"([1-9][0-9]{0,4})([mhd])")
_SECONDS = {"m": 60, "h": 3600, "d": 86400}
MINUTE = 60.0


class TaskQuery(msgspec.Struct, frozen=True):
    """A query of the task list: filters, order and page. `before` is the `cursor` of the previous page.

    `projects` are the projects that may be listed, or None for all; `project` is the one to list. `archived` None lists
    archived tasks and others. `stale` lists only stale tasks, `fingerprint` only runs with the same error. A task must
    have all `tags`, pairs of a name and a value. `since` and `until` (exclusive) limit the creation time. Each is a
    timestamp, or a relative time: `30m`, `24h`, `7d`.
    """

    statuses: tuple[str, ...] = ()
    text: str = ""
    kind: str | None = None
    fingerprint: str | None = None
    projects: tuple[str, ...] | None = None
    project: str | None = None
    since: str | None = None
    until: str | None = None
    archived: bool | None = None
    stale: bool = False
    tags: tuple[tuple[str, str], ...] = ()
    sort: Sort = "newest"
    before: str | None = None
    limit: int = 50

    @property
    def within(self) -> tuple[str, ...] | None:
        """The projects to list. None means all projects, and () none."""
        if self.project is None:
            return self.projects
        return (self.project,) if self.projects is None or self.project in self.projects else ()


class SavedView(msgspec.Struct, frozen=True, kw_only=True):
    """Named filters of the task list. `filters` is the query string of the list's address, without `?`.

    It belongs to the project `project_id`, or to all projects if that is None.
    """

    view_id: int
    name: str
    filters: str
    created_at: str
    project_id: str | None = None


def relative_seconds(text: str) -> int | None:
    """Return the seconds of a relative time such as `30m`, `24h` or `7d`, or None if `text` is not one."""
    match = _AGO.fullmatch(text)
    return int(match[1]) * _SECONDS[match[2]] if match else None


def bound_timestamp(bound: str, at: str | None = None) -> str:
    """Return the timestamp for `since` or `until` of a TaskQuery at the time `at`, which defaults to now.

    A relative time counts from the full minute, so that the result changes only once a minute.
    """
    seconds = relative_seconds(bound)
    if seconds is None:
        return bound
    minute = epoch_seconds(at or now()) // MINUTE * MINUTE
    return timestamp(max(0.0, minute - seconds))


def cursor_parts(cursor: str, sort: Sort) -> tuple[str | float, str]:
    """Return the value and the task id after which the next page in this order starts.

    Raises InvalidEvent for an invalid cursor, and Conflict for the cursor of a page in another order.
    """
    if not _CURSOR.fullmatch(cursor) or not cursor:
        raise InvalidEvent("cursor must be the cursor of a page of tasks", "cursor")
    value, _, task_id = cursor.rpartition("~")
    if sort != "longest":
        return value, task_id
    try:
        return float(value), task_id
    except ValueError:
        raise Conflict("the cursor is of a page in another order; begin without a cursor") from None


def permission_cursor(task: Task, permission: Permission) -> str:
    """Return the cursor of a permission request in the list of open requests."""
    return f"{task.created_at}~{task.task_id}~{permission.seq}"


def closed_permission_cursor(task: Task, permission: Permission) -> str:
    """Return the cursor of a permission request in the list of closed requests."""
    return f"{permission.closed_at}~{task.task_id}~{permission.seq}"


def permission_cursor_parts(cursor: str, field: str = "after") -> tuple[str, str, int]:
    """Return the (time, task id, seq) of such a cursor. Raises InvalidEvent for an invalid cursor."""
    created_at, _, rest = cursor.partition("~")
    task_id, _, seq = rest.rpartition("~")
    if not (created_at and task_id and seq.isascii() and seq.isdigit() and len(seq) < 19):
        raise InvalidEvent(f"{field} must be the cursor of a page of permission requests", field)
    return created_at, task_id, int(seq)

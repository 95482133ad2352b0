"""What a list of tasks can be asked: its filters and its orders."""

from __future__ import annotations

import re
from typing import Literal, get_args

import msgspec

from signalbox.store.errors import Conflict, InvalidEvent
from signalbox.store.events import epoch_seconds, now, timestamp
from signalbox.store.state import Permission, Task

Sort = Literal["newest", "oldest", "active", "longest"]
SORTS: tuple[Sort, ...] = get_args(Sort)
"""By when a task was made; by the second of its last event, the latest first; by how long it took, if it has ended."""

AGO = r"^(?:[1-9][0-9]{0,4}[mhd])?$"
CURSOR = r"^(?:[0-9][0-9.eE+:TZ-]{0,40}~[A-Za-z0-9_.:-]{1,128})?$"
"""How long ago, and the cursor of a page of tasks, as patterns of JSON Schema; either may be empty."""
LONGEST_CURSOR = 256
_CURSOR = re.compile(CURSOR)
_AGO = re.compile(r"([1-9][0-9]{0,4})([mhd])")
_SECONDS = {"m": 60, "h": 3600, "d": 86400}
MINUTE = 60.0


class TaskQuery(msgspec.Struct, frozen=True):
    """Which tasks to list, and in which order. `before` is the `cursor` of the last task of the page before.

    `projects` are those that may be listed, None is all of them; `project` is the one that is asked for. `archived`
    None is both, and `stale` only those that are. `since` and `until` (exclusive) bound when a task was made, each a
    timestamp, or how long ago: `30m`, `24h`, `7d`.
    """

    statuses: tuple[str, ...] = ()
    text: str = ""
    kind: str | None = None
    projects: tuple[str, ...] | None = None
    project: str | None = None
    since: str | None = None
    until: str | None = None
    archived: bool | None = None
    stale: bool = False
    sort: Sort = "newest"
    before: str | None = None
    limit: int = 50

    @property
    def within(self) -> tuple[str, ...] | None:
        """The projects whose tasks are asked for and may be listed; None is all, () none."""
        if self.project is None:
            return self.projects
        return (self.project,) if self.projects is None or self.project in self.projects else ()


class SavedView(msgspec.Struct, frozen=True, kw_only=True):
    """Filters of the task list that somebody gave a name. `filters` is the query of its address, without a `?`.

    It belongs to the project `project_id`; None: to all.
    """

    view_id: int
    name: str
    filters: str
    created_at: str
    project_id: str | None = None


def ago(text: str) -> int | None:
    """Return the seconds that `30m`, `24h` or `7d` mean; None for what is none of these."""
    found = _AGO.fullmatch(text)
    return int(found[1]) * _SECONDS[found[2]] if found else None


def instant(bound: str, at: str | None = None) -> str:
    """Return the timestamp that a bound of a TaskQuery means at the time `at` (now).

    So long ago is counted from the full minute: what it leaves out changes once a minute, and not with every look.
    """
    seconds = ago(bound)
    if seconds is None:
        return bound
    minute = epoch_seconds(at or now()) // MINUTE * MINUTE
    return timestamp(max(0.0, minute - seconds))


def cursor_parts(cursor: str, sort: Sort) -> tuple[str | float, str]:
    """Return the value and the task id at which a page in this order goes on.

    Raises InvalidEvent for a cursor that no page gave, and Conflict for that of a page in another order.
    """
    if not _CURSOR.fullmatch(cursor) or not cursor:
        raise InvalidEvent("cursor must be one that a page of tasks gave", "cursor")
    value, _, task_id = cursor.rpartition("~")
    if sort != "longest":
        return value, task_id
    try:
        return float(value), task_id
    except ValueError:
        raise Conflict("the cursor is of a page in another order; begin without a cursor") from None


def place_of(task: Task, permission: Permission) -> str:
    """Return the cursor of a permission request among all that are open."""
    return f"{task.created_at}~{task.task_id}~{permission.seq}"


def place_parts(cursor: str) -> tuple[str, str, int]:
    """What such a cursor holds. Raises InvalidEvent for one that no page gave."""
    created_at, _, rest = cursor.partition("~")
    task_id, _, seq = rest.rpartition("~")
    if not (created_at and task_id and seq.isascii() and seq.isdigit() and len(seq) < 19):
        raise InvalidEvent("after must be a cursor that a page of permission requests gave", "after")
    return created_at, task_id, int(seq)

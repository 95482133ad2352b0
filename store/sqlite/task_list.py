"""Queries of the task list as SQL. Each order has an index, and the next page starts after a key, not at an offset."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from signalbox.store.sqlite.rows import stored_task
from signalbox.store.state import Task
from signalbox.store.task_list import Sort, TaskQuery, bound_timestamp, cursor_parts

TASK = "CAST(state AS BLOB), archived_at, stale, task_id"
"""The columns of `tasks` that `task_of` takes, in this order."""

_ORDERS: dict[Sort, tuple[str, bool]] = {
    "newest": ("created_at", True),
    "oldest": ("created_at", False),
    "active": ("active_at", True),
    "longest": ("duration", True),
}


def task_of(state: bytes, archived_at: str | None, stale: int, task_id: str) -> Task:
    """Return the task of one row. Raises UnreadableTask."""
    task = stored_task(task_id, state)
    task.archived_at, task.stale = archived_at, bool(stale)
    return task


def page(query: TaskQuery, task_ids: Sequence[str] | None = None) -> tuple[str, list[object]]:
    """Return the SQL for the rows of one page and one more row, and its values.

    Each row has the columns `TASK` and the row's cursor. With `task_ids` only these tasks are searched.
    """
    column, descending = _ORDERS[query.sort]
    direction, beyond = ("DESC", "<") if descending else ("ASC", ">")
    where, values = _conditions(query)
    if query.sort == "longest":
        where.append("duration IS NOT NULL")
    if query.before:
        value, task_id = cursor_parts(query.before, query.sort)
        where.append(f"({column}, task_id) {beyond} (?, ?)")
        values += [value, task_id]
    among, ids = in_tasks(task_ids)
    where.append(among)
    values += ids
    sql = (
        f"SELECT {TASK}, {column} || '~' || task_id FROM tasks WHERE {' AND '.join(where)}"
        f" ORDER BY {column} {direction}, task_id {direction} LIMIT ?"
    )
    return sql, [*values, query.limit + 1]


def merged_page(query: TaskQuery, rows: list[Any]) -> list[Any]:
    """Sort the rows of several queries and return the first page of them and one more row."""
    _, descending = _ORDERS[query.sort]

    def sort_key(row: Any) -> tuple[float | str, str]:
        value, _, task_id = row[-1].rpartition("~")
        return (float(value) if query.sort == "longest" else value), task_id

    return sorted(rows, key=sort_key, reverse=descending)[: query.limit + 1]


def in_tasks(task_ids: Sequence[str] | None, column: str = "task_id") -> tuple[str, list[object]]:
    """Return the condition that a row belongs to one of these tasks, and its values. None means all tasks."""
    if task_ids is None:
        return "1", []
    return f"{column} IN (SELECT value FROM json_each(?))", [msgspec.json.encode(list(task_ids)).decode()]


def is_unfiltered(query: TaskQuery) -> bool:
    """Return whether a query asks for all tasks of all projects."""
    shown = msgspec.structs.replace(query, sort="newest", before=None, limit=TaskQuery().limit, archived=None)
    return shown == TaskQuery()


def in_projects(projects: Sequence[str] | None) -> tuple[str, list[object]]:
    """Return the condition that a task belongs to one of these projects, and its values. None means all projects."""
    if projects is None:
        return "1", []
    return f"project_id IN ({', '.join('?' * len(projects))})", list(projects)


def task_in_projects(projects: Sequence[str] | None) -> tuple[str, list[object]]:
    """Return the condition that a row's task belongs to one of these projects, and its values. None means all."""
    inside, values = in_projects(projects)
    return inside if projects is None else f"task_id IN (SELECT task_id FROM tasks WHERE {inside})", values


def archive(archived: bool | None) -> str:
    """Return the condition that a task is archived, or is not archived. None means both."""
    return "1" if archived is None else f"archived_at IS {'NOT NULL' if archived else 'NULL'}"


def _conditions(query: TaskQuery) -> tuple[list[str], list[object]]:
    inside, values = in_projects(query.within)
    conditions = [archive(query.archived), inside]
    if query.statuses:
        conditions.append(f"status IN ({', '.join('?' * len(query.statuses))})")
        values += query.statuses
    if query.text:
        pattern = "%" + query.text.replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_") + "%"
        conditions.append(r"(task_id LIKE ? ESCAPE '\' OR title LIKE ? ESCAPE '\' OR kind LIKE ? ESCAPE '\')")
        values += [pattern] * 3
    if query.kind:
        conditions.append("kind = ?")
        values.append(query.kind)
    for bound, beyond in ((query.since, ">="), (query.until, "<")):
        if bound:
            conditions.append(f"created_at {beyond} ?")
            values.append(bound_timestamp(bound))
    if query.stale:
        conditions.append("stale")
    return conditions, values

"""Queries of the task list as SQL. Each order has an index, and the next page starts after a key, not at an offset."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from signalbox.store.sql.damaged import hold_of
from signalbox.store.sql.dialect import Condition, Dialect, any_of, everything, one_of
from signalbox.store.sql.rows import stored_task
from signalbox.store.sql.tags import newest_tagged, tagged
from signalbox.store.state import Task
from signalbox.store.task_query import SavedView, Sort, TaskQuery, bound_timestamp, cursor_parts

_ORDERS: dict[Sort, tuple[str, bool]] = {
    "newest": ("created_at", True),
    "oldest": ("created_at", False),
    "active": ("active_at", True),
    "longest": ("duration", True),
}


def columns(dialect: Dialect) -> str:
    """Return the columns of `tasks` that `task_of` takes, in this order."""
    return f"{dialect.stored('state')}, archived_at, stale, task_id, hold"


def task_of(state: str | bytes, archived_at: str | None, stale: int, task_id: str, hold: str | None = None) -> Task:
    """Return the task of one row. Raises UnreadableTask."""
    task = stored_task(task_id, state)
    task.archived_at, task.stale, task.hold = archived_at, bool(stale), hold_of(hold)
    return task


def damaged_columns(dialect: Dialect) -> str:
    """Return the columns of `tasks` that `damaged_task` takes, in this order."""
    names = ("task_id", "title", "kind", "project_id", "created_at", "updated_at", "archived_at", "hold")
    of_counter = "(SELECT {} FROM task_event_seq_counters c WHERE c.task_id = tasks.task_id)"
    return ", ".join([*map(dialect.stored, names), *map(of_counter.format, ("last_seq", "identity"))])


SAVED_VIEW_COLUMNS = "view_id, name, filters, created_at, project_id"


def saved_view_of(row: Sequence[Any], dialect: Dialect) -> SavedView:
    """Return the saved view of one row with `SAVED_VIEW_COLUMNS`."""
    view_id, name, filters, created_at, project_id = row
    filters = dialect.restored(filters)
    return SavedView(view_id=view_id, name=name, filters=filters, created_at=created_at, project_id=project_id)


def page(query: TaskQuery, dialect: Dialect, limit: int, among: Condition | None = None) -> tuple[str, list[object]]:
    """Return the SQL for the first `limit` rows of a page, and its values.

    Each row has `columns` and the row's cursor. With `among`, only the tasks that fulfil this condition are searched.
    """
    column, descending = _ORDERS[query.sort]
    direction, beyond = ("DESC", "<") if descending else ("ASC", ">")
    where, values = _conditions(query, dialect)
    source, task_id = "tasks", "task_id"
    if query.tags and column == "created_at":
        # The index of a tag has this order, so a page of a rare tag does not read the other tasks.
        table, found = newest_tagged(query.tags[0])
        source, column, task_id = f"{table} CROSS JOIN tasks", "tagged_at", "tagged_id"
        where += ["task_id = tagged_id", "created_at = tagged_at"]
        values = [*found, *values]
    if query.sort == "longest":
        where.append("duration IS NOT NULL")
    if query.before:
        where.append(f"({column}, {task_id}) {beyond} (?, ?)")
        values += cursor_parts(query.before, query.sort)
    only, ids = among or everything()
    where.append(only)
    values += ids
    sql = (
        f"SELECT {columns(dialect)}, {column} || '~' || task_id FROM {source} WHERE {' AND '.join(where)}"
        f" ORDER BY {column} {direction}, {task_id} {direction} LIMIT ?"
    )
    return sql, [*values, limit]


def merged_page(query: TaskQuery, limit: int, rows: list[Any]) -> list[Any]:
    """Sort the rows of several queries and return the first `limit` of them."""
    _, descending = _ORDERS[query.sort]

    def sort_key(row: Any) -> tuple[float | str, str]:
        value, _, task_id = row[-1].rpartition("~")
        return (float(value) if query.sort == "longest" else value), task_id

    return sorted(rows, key=sort_key, reverse=descending)[:limit]


def facets(query: TaskQuery, dialect: Dialect, among: Condition | None = None) -> tuple[str, list[object]]:
    """Return the SQL that counts the tasks of `query` by kind, status, staleness and project, and its values.

    The query's own kind, status, staleness and project do not matter. All columns are in the index `tasks_facets`.
    """
    any_value = msgspec.structs.replace(query, statuses=(), kind=None, project=None, stale=False)
    where, values = _conditions(any_value, dialect)
    only, ids = among or everything()
    columns = "kind, status, stale, project_id"
    sql = f"SELECT {columns}, count(*) FROM tasks WHERE {' AND '.join(where)} AND {only} GROUP BY {columns}"
    return sql, [*values, *ids]


def tag_facet(query: TaskQuery, dialect: Dialect, among: Condition | None = None) -> tuple[str, list[object]]:
    """Return the SQL that counts the tasks of `query` by their tags, and its values."""
    where, values = _conditions(query, dialect)
    only, ids = among or everything()
    found = f"SELECT task_id FROM tasks WHERE {' AND '.join(where)} AND {only}"
    sql = (
        f"SELECT name, value, count(*) FROM task_tags WHERE value IS NOT NULL AND task_id IN ({found})"
        " GROUP BY name, value"
    )
    return sql, [*values, *ids]


def is_unfiltered(query: TaskQuery) -> bool:
    """Return whether a query asks for all tasks of all projects."""
    shown = msgspec.structs.replace(query, sort="newest", before=None, limit=TaskQuery().limit, archived=None)
    return shown == TaskQuery()


def in_projects(projects: Sequence[str] | None, column: str = "project_id") -> Condition:
    """Return the condition that a task belongs to one of these projects. None means all projects."""
    return everything() if projects is None else one_of(column, projects)


def task_in_projects(projects: Sequence[str] | None) -> Condition:
    """Return the condition that a row's task belongs to one of these projects. None means all projects."""
    inside, values = in_projects(projects)
    return inside if projects is None else f"task_id IN (SELECT task_id FROM tasks WHERE {inside})", values


def archive(archived: bool | None) -> str:
    """Return the condition that a task is archived, or is not archived. None means both."""
    return "TRUE" if archived is None else f"archived_at IS {'NOT NULL' if archived else 'NULL'}"


def _conditions(query: TaskQuery, dialect: Dialect) -> tuple[list[str], list[object]]:
    # With `|| ''` SQLite uses the index on the kind: the index on the project holds all tasks of the project.
    inside, values = in_projects(query.within, "project_id || ''" if query.kind else "project_id")
    conditions = [archive(query.archived), inside]
    if query.statuses:
        status, statuses = one_of("status", query.statuses)
        conditions.append(status)
        values += statuses
    if query.text:
        matches, texts = any_of(dialect.contains(column, query.text) for column in ("task_id", "title", "kind"))
        conditions.append(matches)
        values += texts
    if query.kind:
        conditions.append("kind = ?")
        values.append(query.kind)
    if query.fingerprint:
        conditions.append("fingerprint = ?")
        values.append(query.fingerprint)
    for bound, beyond in ((query.since, ">="), (query.until, "<")):
        if bound:
            conditions.append(f"created_at {beyond} ?")
            values.append(bound_timestamp(bound))
    if query.stale:
        conditions.append("stale")
    if query.tags:
        has_tags, texts = tagged(query.tags)
        conditions.append(has_tags)
        values += texts
    return conditions, values

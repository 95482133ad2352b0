"""Queries of tasks: a single task, and the task list."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import partial
from typing import Any, TypeVar

import msgspec

from signalbox.store.bounded_reads import bounded_read
from signalbox.store.contract import Facets, SameError, Standing, TaskPage
from signalbox.store.contract.reading.tasks import LAST_LINE_EVENTS, MAX_FACET_TAGS, MAX_LAST_LINE, MAX_PAGE_BYTES
from signalbox.store.errors import UnknownTask, UnreadableTask
from signalbox.store.group_ends import GROUP_ENDS
from signalbox.store.sql import task_list
from signalbox.store.sql.damaged import damaged_task, hold_of, text_or_nothing, unfinished_of
from signalbox.store.sql.diagnosing import UNDIAGNOSED
from signalbox.store.sql.dialect import Condition
from signalbox.store.sql.views.base import Rows
from signalbox.store.state import Task, Unfinished
from signalbox.store.task_query import SavedView, TaskQuery

STEPS = 51, 100
"""Rows of the first query of a page, and of each further one. A page of the usual length needs one query."""


class TaskViews(Rows):
    """Implements `OneTaskReading` and `TaskListReading` of `store.contract`."""

    _unfinished: tuple[str, str | None] | None = None

    async def task(self, task_id: str) -> Task:
        columns = task_list.columns(self.dialect)
        lines = "(SELECT lines FROM task_unfinished u WHERE u.task_id = tasks.task_id)"
        rows = await self._rows(f"SELECT {columns}, {lines} FROM tasks WHERE task_id = ?", task_id)
        if not rows:
            raise UnknownTask(task_id)
        # A page needs these lines next, and each query costs a thread switch.
        self._unfinished = (task_id, rows[0][-1])
        return await self._task_of(*rows[0][:-1])

    async def _task_of(
        self, state: str | bytes, archived_at: str | None, stale: int, task_id: str, hold: str | None = None
    ) -> Task:
        try:
            return task_list.task_of(state, archived_at, stale, task_id, hold)
        except UnreadableTask:
            columns = task_list.damaged_columns(self.dialect)
            rows = await self._rows(f"SELECT {columns} FROM tasks WHERE task_id = ?", task_id)
            return damaged_task(rows[0])

    async def unfinished(self, task_id: str) -> list[Unfinished]:
        if self._unfinished is None or self._unfinished[0] != task_id:
            await self.task(task_id)
        lines = self._unfinished[1] if self._unfinished else None
        return unfinished_of(lines)

    async def tasks(self, query: TaskQuery) -> TaskPage:
        damaged: list[str] = []

        async def read(row: Any, limit: int) -> list[Any]:
            wanted = msgspec.structs.replace(query, before=row[-1] if row else query.before)

            def one_page(task_ids: Sequence[str] | None) -> Condition:
                return task_list.page(wanted, self.dialect, limit, self._only(task_ids))

            keep = partial(task_list.merged_page, wanted, limit)
            rows, damaged[:] = await self._rows_of_tasks(one_page, keep=keep)
            return rows

        # One more row tells whether there is another page.
        rows, cut = await bounded_read(read, query.limit + 1, MAX_PAGE_BYTES, _state_length, steps=STEPS)
        shown = rows[: query.limit]
        cursor = shown[-1][-1] if cut else None
        tasks = [await self._task_of(*row[:-1]) for row in shown]
        if damaged and task_list.is_unfiltered(query) and not query.before:
            # Their projects and other columns are unknown, so only an unfiltered list shows them.
            tasks = [damaged_task((task_id, *[None] * 9)) for task_id in damaged[: query.limit]] + tasks
        return TaskPage(tasks, cursor, await self.latest_event_id())

    async def facets(self, query: TaskQuery) -> Facets:
        def counted(task_ids: Sequence[str] | None) -> Condition:
            return task_list.facets(query, self.dialect, self._only(task_ids))

        def tagged(task_ids: Sequence[str] | None) -> Condition:
            return task_list.tag_facet(query, self.dialect, self._only(task_ids))

        statuses, kinds, projects, stale = Counter[str](), Counter[str](), Counter[str](), 0
        for kind, status, is_stale, project_id, tasks in (await self._rows_of_tasks(counted))[0]:
            of_kind, of_project = query.kind in (None, kind), query.project in (None, project_id)
            of_status = (not query.statuses or status in query.statuses) and (is_stale or not query.stale)
            if of_kind and of_project:
                statuses[status] += tasks
                stale += tasks if is_stale else 0
            if of_status and of_project and text_or_nothing(kind):
                kinds[kind] += tasks
            if of_status and of_kind:
                projects[project_id] += tasks
        tags = Counter[tuple[str, str]]()
        for name, value, tasks in (await self._rows_of_tasks(tagged))[0]:
            if text_or_nothing(name) and isinstance(value, str):
                tags[name, value] += tasks
        first_tags = list(_largest_first(tags).items())[:MAX_FACET_TAGS]
        return Facets(
            statuses=_largest_first(statuses),
            kinds=_largest_first(kinds),
            projects=_largest_first(projects),
            tags=[(name, value, tasks) for (name, value), tasks in first_tags],
            stale=stale,
        )

    async def count_by_status(
        self, projects: Sequence[str] | None = None, archived: bool | None = None
    ) -> dict[str, int]:
        counts: dict[str, int] = {}
        for status, tasks in await self._counted("status, count(*)", task_list.archive(archived), projects, "status"):
            counts[status] = counts.get(status, 0) + tasks
        return counts

    async def count_stale(self, projects: Sequence[str] | None = None) -> int:
        return await self._count_tasks("stale AND archived_at IS NULL", projects)

    async def count_archived(self, projects: Sequence[str] | None = None) -> int:
        return await self._count_tasks("archived_at IS NOT NULL", projects)

    async def same_error(self, task_id: str, limit: int = 1000) -> SameError | None:
        rows = await self._rows("SELECT fingerprint, project_id FROM tasks WHERE task_id = ?", task_id)
        if not rows or rows[0][0] is None:
            return None
        fingerprint, project_id = rows[0]
        occurrences = (
            "SELECT created_at, archived_at FROM tasks WHERE fingerprint = ? AND project_id = ?"
            " ORDER BY created_at LIMIT ?"
        )
        sql = f"SELECT count(*), min(created_at), count(archived_at) FROM ({occurrences}) AS runs"
        ((runs, since, archived),) = await self._rows(sql, fingerprint, project_id, limit + 1)
        return SameError(fingerprint, min(runs, limit), since or "", runs > limit, min(archived, limit))

    async def undiagnosed(self, limit: int) -> list[str]:
        return [task_id for (task_id,) in await self._rows(UNDIAGNOSED, limit)]

    async def _count_tasks(self, where: str, projects: Sequence[str] | None) -> int:
        return sum(row[0] for row in await self._counted("count(*)", where, projects))

    async def _counted(self, what: str, where: str, projects: Sequence[str] | None, group: str = "") -> list[Any]:
        inside, values = task_list.in_projects(projects)

        def query(task_ids: Sequence[str] | None) -> Condition:
            among, ids = self._only(task_ids)
            sql = f"SELECT {what} FROM tasks WHERE {where} AND {inside} AND {among}"
            return f"{sql} GROUP BY {group}" if group else sql, [*values, *ids]

        return (await self._rows_of_tasks(query))[0]

    async def project_names(self, projects: Sequence[str] | None = None) -> dict[str, str]:
        inside, values = task_list.in_projects(projects)
        return dict(await self._rows(f"SELECT project_id, name FROM projects WHERE {inside} ORDER BY name", *values))

    async def saved_views(self, projects: Sequence[str] | None = None) -> list[SavedView]:
        columns = task_list.SAVED_VIEW_COLUMNS
        rows = await self._rows(f"SELECT {columns} FROM saved_views ORDER BY lower(name), view_id")
        views = [task_list.saved_view_of(row, self.dialect) for row in rows]
        return [one for one in views if projects is None or one.project_id is None or one.project_id in projects]

    async def last_lines(self, task_ids: Sequence[str]) -> dict[str, str]:
        message = self.dialect.json_text(self.dialect.text("payload"), "message")
        newest = (
            f"SELECT substr({message}, 1, {MAX_LAST_LINE}) FROM task_events e WHERE e.task_id = c.task_id"
            f" AND seq > c.last_seq - {LAST_LINE_EVENTS} AND event_type = 'log' AND trim({message}) <> ''"
            + "".join(f" AND substr({message}, 1, {len(end)}) <> '{end}'" for end in GROUP_ENDS)
            + " ORDER BY seq DESC LIMIT 1"
        )

        def query(task_ids: Sequence[str] | None) -> Condition:
            among, ids = self._only(task_ids)
            kept = "SELECT last_line FROM cold_tasks k WHERE k.task_id = c.task_id"
            return f"SELECT task_id, coalesce(({newest}), ({kept})) FROM task_event_seq_counters c WHERE {among}", ids

        rows, _ = await self._rows_of_tasks(query, task_ids)
        return {task_id: line for task_id, line in rows if line}

    async def standings(self, task_ids: Sequence[str]) -> dict[str, Standing]:
        def query(task_ids: Sequence[str] | None) -> Condition:
            among, ids = self._only(task_ids)
            return (
                "SELECT task_id, c.last_seq, archived_at IS NOT NULL, stale, u.updated_at, c.identity,"
                " hold, erased_at, cold IS NOT NULL FROM tasks"
                " JOIN task_event_seq_counters c USING (task_id) LEFT JOIN task_unfinished u USING (task_id)"
                f" WHERE {among}"
            ), ids

        def from_counters(task_ids: Sequence[str] | None) -> Condition:
            among, ids = self._only(task_ids)
            columns = "task_id, last_seq, FALSE, FALSE, '', identity, NULL, NULL, FALSE"
            return f"SELECT {columns} FROM task_event_seq_counters WHERE {among}", ids

        rows, damaged = await self._rows_of_tasks(query, task_ids)
        if damaged:
            rows += (await self._rows_of_tasks(from_counters, damaged))[0]
        return {
            task_id: Standing(
                seq, bool(archived), bool(stale), unfinished or "", identity, hold_of(hold), erased_at or "", bool(cold)
            )
            for task_id, seq, archived, stale, unfinished, identity, hold, erased_at, cold in rows
        }


def _state_length(row: Any) -> int:
    return len(row[0] or "")


K = TypeVar("K", str, tuple[str, str])


def _largest_first(counts: Counter[K]) -> dict[K, int]:
    return dict(sorted(counts.items(), key=lambda one: (-one[1], one[0])))

"""Routing of reads: those of a task in cold storage go to its file, all others to the database."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Protocol, Self, TypeVar, cast

from signalbox.store.contract import Reading
from signalbox.store.contract.values import ColdTask
from signalbox.store.errors import StoreError, StoreUnavailable
from signalbox.store.events import Event
from signalbox.store.search import SEARCH_SECONDS, SearchPage, SearchQuery
from signalbox.store.search.documents import IndexedEvent
from signalbox.store.sql.searching.cold_logs import ColdLogs
from signalbox.store.sql.views import Views
from signalbox.store.sql.views.cold import ANY_COLD
from signalbox.store.state import Task

T = TypeVar("T")


class ColdReaders(Protocol):
    """Opens views of tasks in cold storage."""

    async def view(self, task: ColdTask, hot: Views) -> Views:
        """Return a view of the file of a task. `hot` is the view of the database. The caller calls `release`."""

    def release(self, view: Views) -> None:
        """Say that a view is no longer used."""

    def close(self) -> None:
        """Close all files."""


class _Opened:
    """The views of cold tasks that one view of a store has opened."""

    def __init__(self, readers: ColdReaders | None) -> None:
        self.readers = readers
        self.tasks: dict[str, ColdTask | None] = {}
        self.views: dict[str, Views] = {}

    async def view(self, task: ColdTask, hot: Views) -> Views:
        if self.readers is None:
            raise StoreUnavailable(f"the task {task.task_id!r} is in cold storage, which this program has not opened")
        if task.task_id not in self.views:
            self.views[task.task_id] = await self.readers.view(task, hot)
        return self.views[task.task_id]

    def release(self, *task_ids: str) -> None:
        for task_id in task_ids:
            if (view := self.views.pop(task_id, None)) is not None and self.readers is not None:
                self.readers.release(view)


def _routed(name: str) -> Any:
    """Return a method that reads one task, whose id is the first argument."""

    async def read(self: RoutedView, task_id: str, *args: Any, **options: Any) -> Any:
        hot = self._hot
        if hot.any_cold is None and hot.asks_for_cold:
            # Nearly all stores have no cold tasks: then one switch of threads is enough.
            found = await getattr(hot, name)(task_id, *args, **options)
            if hot.any_cold is False:
                return found

        async def read_in(cold: list[ColdTask]) -> Any:
            return await getattr(await self._view_of(cold), name)(task_id, *args, **options)

        return await self._unmoved(lambda: self._places_of(task_id), read_in)

    read.__name__ = name
    return read


class RoutedView:
    """Implements `Reading` for a store that may have tasks in cold storage.

    The reads that are not named here are those of the database, which keeps the rows for lists of tasks. `consistent`
    says that all queries see the same state, as in `Store.read`.
    """

    def __init__(self, hot: Views, opened: _Opened, *, consistent: bool, brief: bool = False) -> None:
        self._hot, self._opened, self._consistent, self._brief = hot, opened, consistent, brief

    def __getattr__(self, name: str) -> Any:
        return getattr(self._hot, name)

    def brief(self) -> Self:
        hot = self._hot.brief()
        hot.any_cold = self._hot.any_cold
        return type(self)(hot, self._opened, consistent=self._consistent, brief=True)

    async def _has_cold_tasks(self) -> bool:
        if self._hot.any_cold is None:
            self._hot.any_cold = bool(await self._hot._rows(ANY_COLD))
        return self._hot.any_cold

    async def _cold_task(self, task_id: str) -> ColdTask | None:
        if self._hot.any_cold is False or not await self._has_cold_tasks():
            return None
        if task_id not in self._opened.tasks or not self._consistent:
            self._opened.tasks[task_id] = await self._hot.cold_task(task_id)
        return self._opened.tasks[task_id]

    async def _places_of(self, task_id: str) -> list[ColdTask]:
        """Return the task if it is in cold storage, else nothing."""
        cold = await self._cold_task(task_id)
        return [cold] if cold is not None else []

    async def _view_of(self, cold: Sequence[ColdTask]) -> Views:
        """Return the view of the file of this task, or that of the database if there is no task."""
        if not cold:
            return self._hot
        view = await self._opened.view(cold[0], self._hot)
        return view.brief() if self._brief else view

    async def _unmoved(
        self, look: Callable[[], Awaitable[list[ColdTask]]], read: Callable[[list[ColdTask]], Awaitable[T]]
    ) -> T:
        """Return what `read` finds for the tasks in cold storage that `look` returns.

        Without a consistent view a task may be moved between two queries. Then it is read again where it is now.
        """
        cold = await look()
        while not self._consistent:
            failure: StoreError | None = None
            try:
                found = await read(cold)
            except StoreError as error:
                failure = error
            before, cold = cold, await look()
            if [task.name for task in before] != [task.name for task in cold]:
                self._opened.release(*(task.task_id for task in before))
            elif failure is not None:
                raise failure
            else:
                return found
        return await read(cold)

    async def task(self, task_id: str) -> Task:
        task = await self._hot.task(task_id)
        cold = await self._cold_task(task_id)
        task.cold_since = cold.moved_at if cold is not None else None
        return task

    async def search_all(self, query: SearchQuery, *, seconds: float = SEARCH_SECONDS) -> SearchPage:
        return await self._hot.search_all(query, seconds=seconds, cold=await self._cold_logs())

    async def events_to_index(self, blocks: Sequence[int], *, whole: bool = False) -> list[IndexedEvent]:
        return await self._hot.events_to_index(blocks, whole=whole, cold=await self._cold_logs())

    async def _cold_logs(self) -> ColdLogs | None:
        if not await self._has_cold_tasks():
            return None
        return ColdLogs(self._hot, lambda task: self._opened.view(task, self._hot), self._opened.release)

    async def events_after(
        self, event_id: int, limit: int = 1000, tasks: Sequence[str] = (), projects: Sequence[str] | None = None
    ) -> list[Event]:
        if not await self._has_cold_tasks():
            return await self._hot.events_after(event_id, limit, tasks, projects)
        return await self._unmoved(
            lambda: self._hot.cold_tasks_with_events_after(event_id, limit, tasks, projects),
            lambda cold: self._events_after(cold, event_id, limit, tasks, projects),
        )

    async def _events_after(
        self,
        cold: Sequence[ColdTask],
        event_id: int,
        limit: int,
        tasks: Sequence[str],
        projects: Sequence[str] | None,
    ) -> list[Event]:
        events = await self._hot.events_after(event_id, limit, tasks, projects)
        if not cold:
            return events
        # Beyond the last event of a full page there are more events in the database.
        end = events[-1].event_id if len(events) == limit else 2**62
        # While a task is moved, some of its events are in the database too.
        ids = {task.task_id for task in cold}
        found = [event for event in events if event.task_id not in ids]
        for task in cold:
            if task.first_event_id > end:
                break
            view = await self._opened.view(task, self._hot)
            found += [event for event in await view.events_after(event_id, limit) if event.event_id <= end]
            self._opened.release(task.task_id)
            found = sorted(found, key=lambda event: event.event_id)[:limit]
            if len(found) == limit:
                end = found[-1].event_id
        return found

    artifact = _routed("artifact")
    artifacts = _routed("artifacts")
    changing_events = _routed("changing_events")
    checkpoint = _routed("checkpoint")
    checkpoints = _routed("checkpoints")
    child_counts = _routed("child_counts")
    content_piece = _routed("content_piece")
    conversation = _routed("conversation")
    count_rows = _routed("count_rows")
    error_output = _routed("error_output")
    events = _routed("events")
    events_at = _routed("events_at")
    events_of_phase = _routed("events_of_phase")
    events_of_span = _routed("events_of_span")
    events_of_types = _routed("events_of_types")
    failures = _routed("failures")
    first_seq_at = _routed("first_seq_at")
    folded_state = _routed("folded_state")
    has_content = _routed("has_content")
    head = _routed("head")
    is_imported = _routed("is_imported")
    latest_events = _routed("latest_events")
    latest_messages = _routed("latest_messages")
    links = _routed("links")
    messages = _routed("messages")
    next_failure = _routed("next_failure")
    open_spans = _routed("open_spans")
    permission = _routed("permission")
    permissions = _routed("permissions")
    phases = _routed("phases")
    previous_failure = _routed("previous_failure")
    rows_after = _routed("rows_after")
    rows_before = _routed("rows_before")
    search = _routed("search")
    span = _routed("span")
    span_children = _routed("span_children")
    span_descendants = _routed("span_descendants")
    span_parents = _routed("span_parents")
    span_window = _routed("span_window")
    spans = _routed("spans")
    spans_changed = _routed("spans_changed")
    spans_closed_at = _routed("spans_closed_at")
    spans_with_ancestors = _routed("spans_with_ancestors")
    times = _routed("times")


@asynccontextmanager
async def routed(
    view: AbstractAsyncContextManager[Views], readers: ColdReaders | None, *, consistent: bool = True
) -> AsyncIterator[Reading]:
    """Return a view of a store whose reads of tasks in cold storage go to their files."""
    async with view as hot:
        opened = _Opened(readers)
        try:
            yield cast(Reading, RoutedView(hot, opened, consistent=consistent))
        finally:
            opened.release(*opened.views)

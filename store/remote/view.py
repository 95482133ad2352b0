"""The reads of a store behind a server, as far as its API answers them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec

from signalbox.store.contract.reading import Reading
from signalbox.store.contract.values import Head, LogHits, LogQuery, TaskPage
from signalbox.store.errors import NotSupported, UnknownTask
from signalbox.store.events import Event
from signalbox.store.path_segments import segment
from signalbox.store.remote.connection import Connection
from signalbox.store.remote.not_offered import not_offered
from signalbox.store.remote.responses import (
    EventsBody,
    UnfinishedBody,
    decoded,
    pages_of,
    path_of,
    task_from,
    task_in,
)
from signalbox.store.state import Artifact, Permission, SentMessage, Span, Task, Unfinished
from signalbox.store.task_query import TaskQuery, cursor_parts

PAGE_SIZE = 1000
"""Maximum number of events in one response."""

LIST_SIZE = 500
"""Maximum number of tasks, artifacts, or newest events in one response."""

SPANS_SIZE = 20_000

T = TypeVar("T")


class _Tasks(msgspec.Struct):
    tasks: list[dict[str, Any]]
    next_cursor: str | None


class _Graph(msgspec.Struct):
    spans: list[Span]
    has_more: bool
    next_after: int


class RemoteView(Reading):
    """Reads through the API, with the rights of the token. Each read is a request of its own.

    So two reads may see different states: the view is not consistent. A read that the API does not offer raises
    NotSupported. As in a database, a task that does not exist has no events and no parts; only the reads of the task
    itself (`task`, `unfinished` and `head`) raise UnknownTask.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def brief(self) -> RemoteView:
        return self

    # tasks

    async def task(self, task_id: str) -> Task:
        return task_in(await self._connection.request("GET", path_of(task_id), task_id))

    async def unfinished(self, task_id: str) -> list[Unfinished]:
        return decoded(await self._connection.request("GET", path_of(task_id), task_id), UnfinishedBody).unfinished

    async def tasks(self, query: TaskQuery) -> TaskPage:
        """Do the same as in a database, but `event_id` is 0 and archived tasks are listed only on their own."""
        if query.before:
            cursor_parts(query.before, query.sort)
        if query.projects is not None and query.project is None:
            raise NotSupported("a list of the tasks in several projects")
        if query.projects is not None and query.project not in query.projects:
            return TaskPage([], None, 0)
        params: list[tuple[str, str]] = [("status", status) for status in query.statuses]
        params += [("tag", f"{name}={value}") for name, value in query.tags]
        named = {
            "q": query.text,
            "kind": query.kind,
            "error": query.fingerprint,
            "project": query.project,
            "created_since": query.since,
            "created_until": query.until,
            "stale": "1" if query.stale else "",
            "archived": "1" if query.archived else "",
            "sort": query.sort,
            "cursor": query.before,
            "limit": str(min(query.limit, LIST_SIZE)),
        }
        params += [(name, value) for name, value in named.items() if value]
        response = await self._connection.request("GET", "/api/tasks", params=params)
        page = decoded(response, _Tasks)
        return TaskPage([task_from(response, fields) for fields in page.tasks], page.next_cursor, 0)

    # the log

    async def head(self, task_id: str) -> Head:
        task = await self.task(task_id)
        first = await self.events(task_id, 0, 1)
        return Head(task.latest_seq, first[0].seq if first else task.latest_seq + 1, task.identity)

    async def events(self, task_id: str, since_seq: int = 0, limit: int = 100) -> list[Event]:
        async def page(seq: int, size: int) -> tuple[list[Event], bool]:
            params = {"since_seq": seq, "limit": size}
            body = await self._of_task(task_id, "events", params, EventsBody, EventsBody([]))
            return body.events, body.has_more

        return await pages_of(page, since_seq, limit, PAGE_SIZE)

    async def latest_events(self, task_id: str, limit: int = 50, before: int | None = None) -> list[Event]:
        async def page(seq: int, size: int) -> tuple[list[Event], bool]:
            return await self._linked_page(
                task_id, "events/latest", {"before": seq or None, "limit": size}, list[Event]
            )

        return await pages_of(page, before or 0, 0 if before is not None and before <= 1 else limit, LIST_SIZE)

    async def events_of_phase(self, task_id: str, phase: str, limit: int = 100, since_seq: int = 0) -> list[Event]:
        async def page(seq: int, size: int) -> tuple[list[Event], bool]:
            params = {"since_seq": seq, "limit": size}
            return await self._linked_page(task_id, f"events/phase/{segment(phase)}", params, list[Event])

        return await pages_of(page, since_seq, limit, PAGE_SIZE)

    async def search(self, task_id: str, query: LogQuery, after: int = 0, limit: int = 100) -> LogHits:
        """Do the same as in a database, with at most 1000 events. Raises NotSupported for `rows`, `since`, `until`."""
        if query.rows or query.since is not None or query.until is not None:
            raise NotSupported("a search in a part of the log")
        named = {
            "q": query.text,
            "type": query.event_type,
            "phase": query.phase,
            "actor": query.actor,
            "level": query.level,
            "stream": query.stream,
            "span": query.span_id,
            "show": "conversation" if query.conversation else "",
            "failed": "1" if query.failures else "",
        }
        page: dict[str, Any] = {"since_seq": after, "limit": max(1, min(limit, PAGE_SIZE))}
        params = {name: value for name, value in named.items() if value} | page
        body = await self._of_task(task_id, "events", params, EventsBody, EventsBody([]))
        total = body.total if body.matching is None else body.matching
        return LogHits(body.events[:limit], total, body.has_more or len(body.events) > limit)

    # parts

    async def spans(self, task_id: str, after: int = 0, limit: int | None = None) -> list[Span]:
        """Do the same as in a database, but without `resources`."""
        found: list[Span] = []
        while limit is None or len(found) < limit:
            size = SPANS_SIZE if limit is None else min(limit - len(found), SPANS_SIZE)
            params = {"after": after, "limit": size}
            page = await self._of_task(task_id, "graph", params, _Graph, _Graph([], False, 0))
            found, after = found + page.spans, page.next_after
            if not page.has_more:
                break
        return found[:limit]

    async def span(self, task_id: str, span_id: str) -> Span | None:
        return next((span for span in await self.spans(task_id) if span.span_id == span_id), None)

    async def artifacts(self, task_id: str, limit: int = 100, before: int | None = None) -> list[Artifact]:
        async def page(seq: int, size: int) -> tuple[list[Artifact], bool]:
            return await self._linked_page(task_id, "artifacts", {"before": seq or None, "limit": size}, list[Artifact])

        return await pages_of(page, before or 0, 0 if before is not None and before <= 1 else limit, LIST_SIZE)

    async def messages(
        self, task_id: str, *, untaken: bool = False, after: int = 0, limit: int | None = None
    ) -> list[SentMessage]:
        """Do the same as in a database, but without `changed_seq`."""

        async def page(seq: int, size: int) -> tuple[list[SentMessage], bool]:
            return await self._linked_page(task_id, "messages", {"after": seq, "limit": size}, list[SentMessage])

        if not untaken:
            return await pages_of(page, after, limit, PAGE_SIZE)
        # Not the API's state `sent`, which leaves out the messages that a run has ignored.
        return [one for one in await pages_of(page, after, None, PAGE_SIZE) if one.taken_seq is None][:limit]

    async def permissions(
        self, task_id: str, *, open_only: bool = True, after: int = 0, limit: int | None = None
    ) -> list[Permission]:
        """Do the same as in a database. Raises NotSupported for closed requests."""
        if not open_only:
            raise NotSupported("reading the closed permission requests")

        async def page(seq: int, size: int) -> tuple[list[Permission], bool]:
            return await self._linked_page(task_id, "permissions", {"after": seq, "limit": size}, list[Permission])

        return await pages_of(page, after, limit, PAGE_SIZE)

    async def _of_task(self, task_id: str, path: str, params: Mapping[str, Any], kind: type[T], nothing: T) -> T:
        """Return what a response below the path of a task contains, or `nothing` for a task that does not exist."""
        try:
            response = await self._connection.request("GET", f"{path_of(task_id)}/{path}", task_id, params=params)
        except UnknownTask:
            return nothing
        return decoded(response, kind)

    async def _linked_page(
        self, task_id: str, path: str, params: Mapping[str, Any], kind: type[list[T]]
    ) -> tuple[list[T], bool]:
        """Return the items of a response, and whether it links to a next page."""
        given = {name: value for name, value in params.items() if value is not None}
        try:
            response = await self._connection.request("GET", f"{path_of(task_id)}/{path}", task_id, params=given)
        except UnknownTask:
            return [], False
        return decoded(response, kind), "next" in response.links

    artifact: Any = not_offered("reading one artifact")
    audited_identity: Any = not_offered("reading the audits")
    audits: Any = not_offered("reading the audits")
    changing_events: Any = not_offered("reading the changing events")
    checkpoint: Any = not_offered("reading the checkpoints")
    checkpoints: Any = not_offered("reading the checkpoints")
    child_counts: Any = not_offered("counting the children of spans")
    closed_permissions: Any = not_offered("reading the closed permission requests")
    cold_counts: Any = not_offered("counting the tasks in cold storage")
    cold_task: Any = not_offered("reading the tasks in cold storage")
    cold_tasks: Any = not_offered("reading the tasks in cold storage")
    cold_tasks_with_events_after: Any = not_offered("reading the tasks in cold storage")
    content_piece: Any = not_offered("reading a content")
    conversation: Any = not_offered("reading the conversation")
    count_archived: Any = not_offered("counting tasks")
    count_by_status: Any = not_offered("counting tasks")
    artifact_bytes: Any = not_offered("measuring the space of tasks")
    changed_sizes: Any = not_offered("measuring the space of tasks")
    database_space: Any = not_offered("measuring the space of the database")
    ended_tasks: Any = not_offered("listing the ended tasks")
    is_imported: Any = not_offered("measuring the space of tasks")
    log_bytes: Any = not_offered("measuring the space of tasks")
    removals: Any = not_offered("counting deleted tasks")
    retention_state: Any = not_offered("reading the state of retention")
    space_by_kind: Any = not_offered("measuring the space of tasks")
    space_samples: Any = not_offered("reading the samples of space")
    count_open_permissions: Any = not_offered("counting permission requests")
    count_rows: Any = not_offered("counting rows")
    count_stale: Any = not_offered("counting tasks")
    error_output: Any = not_offered("reading the output of errors")
    events_after: Any = not_offered("reading the events of all tasks")
    events_at: Any = not_offered("reading events by their seqs")
    events_to_index: Any = not_offered("reading the search index")
    events_of_span: Any = not_offered("reading the events of a span")
    events_of_types: Any = not_offered("reading the events of several types")
    expiring_permissions: Any = not_offered("reading the expiring permission requests")
    facets: Any = not_offered("counting tasks")
    failures: Any = not_offered("reading the failures")
    fingerprints: Any = not_offered("reading fingerprints")
    first_seq_at: Any = not_offered("finding an event by its time")
    folded_state: Any = not_offered("reading stored states")
    has_content: Any = not_offered("reading a content")
    index_parts: Any = not_offered("reading the search index")
    index_state: Any = not_offered("reading the search index")
    index_work: Any = not_offered("reading the search index")
    kinds: Any = not_offered("listing the kinds")
    links: Any = not_offered("reading links")
    log_claims: Any = not_offered("reading links")
    erasures: Any = not_offered("counting erasures")
    unsigned_logs: Any = not_offered("reading signed heads")
    signed_heads: Any = not_offered("reading signed heads")
    last_lines: Any = not_offered("reading the last lines of tasks")
    latest_event_id: Any = not_offered("reading the newest event id")
    latest_messages: Any = not_offered("reading the newest messages")
    newest_runs: Any = not_offered("listing the newest runs of kinds")
    next_failure: Any = not_offered("finding a failure")
    open_permissions: Any = not_offered("reading the permission requests of all tasks")
    open_spans: Any = not_offered("reading the open spans")
    permission: Any = not_offered("reading one permission request")
    phases: Any = not_offered("reading the phases")
    previous_failure: Any = not_offered("finding a failure")
    project_names: Any = not_offered("listing the projects")
    rows_after: Any = not_offered("reading rows")
    rows_before: Any = not_offered("reading rows")
    same_error: Any = not_offered("counting runs with the same error")
    saved_views: Any = not_offered("reading the saved views")
    search_all: Any = not_offered("searching all tasks")
    span_children: Any = not_offered("reading the children of a span")
    span_descendants: Any = not_offered("reading the spans below a span")
    span_parents: Any = not_offered("reading the parents of spans")
    span_window: Any = not_offered("reading a window of spans")
    spans_changed: Any = not_offered("reading the changed spans")
    spans_closed_at: Any = not_offered("reading the spans that an event closed")
    spans_with_ancestors: Any = not_offered("reading the ancestors of spans")
    standings: Any = not_offered("reading the standings of tasks")
    tasks_to_move: Any = not_offered("listing the tasks that can move to cold storage")
    times: Any = not_offered("reading the times of events")
    undiagnosed: Any = not_offered("listing runs without a diagnosis")

"""Every read of a view, with the arguments that pages use and with odd ones, for tests that compare or explain them."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import msgspec

from signalbox.store import SORTS, Event, LogQuery, Reading, TaskQuery
from signalbox.store.contract import Standing
from signalbox.store.errors import UnknownTask
from signalbox.store.history import History
from signalbox.store.past_reading import PastReading
from signalbox.store.state import STATUSES
from tests.support.varied_log import PHASES, WORDS

Read = tuple[str, Callable[[Reading], Awaitable[Any]]]
"""The name of a read, and the read."""


async def value_of(view: Reading, read: Callable[[Reading], Awaitable[Any]]) -> str:
    """Return the result of a read as text, without values that differ between any two stores."""
    try:
        return _comparable(await read(view))
    except UnknownTask as error:
        return str(error)


def _comparable(value: Any) -> Any:
    """Return a value as text, without what differs between any two stores."""

    def plain(one: Any) -> Any:
        if isinstance(one, msgspec.Raw):
            return bytes(one).decode()
        if not isinstance(one, msgspec.Struct):
            return str(one)
        fields = msgspec.structs.asdict(one)
        if isinstance(one, Event):
            fields["cut_from"] = one.cut_from
        if "archived_at" in fields:
            fields["archived_at"] = fields["archived_at"] is not None
        if isinstance(one, Standing):
            fields["unfinished"] = one.unfinished != ""
        return {**fields, "identity": ""}

    return json.dumps(value, default=plain)


def reads_of_lists(task_ids: list[str]) -> Iterator[Read]:
    """Yield the reads of many tasks, and of their permissions, events and audits."""
    for sort in SORTS:
        for query in (
            TaskQuery(sort=sort, limit=3),
            TaskQuery(sort=sort, archived=False, statuses=("running", "done", "failed")),
            TaskQuery(sort=sort, archived=True),
            TaskQuery(sort=sort, text="täSK", limit=2),
            TaskQuery(sort=sort, text="tÄsk", limit=2),
            TaskQuery(sort=sort, text="0%"),
            TaskQuery(sort=sort, text="\x00"),
            TaskQuery(sort=sort, kind="build", projects=("default", "other"), project="default"),
            TaskQuery(sort=sort, projects=()),
            TaskQuery(sort=sort, tags=(("branch", "main"),), limit=2),
            TaskQuery(sort=sort, tags=(("branch", "main"), ("n", "1")), kind="build"),
            TaskQuery(sort=sort, stale=True),
            TaskQuery(sort=sort, since="2026-01-05T09:02:00.000000Z", until="2026-01-05T09:05:00.000000Z"),
        ):
            yield f"tasks {query}", lambda view, query=query: _all_pages(view, query)
            yield f"facets {query}", lambda view, query=query: view.facets(query)
    for status in STATUSES:
        yield f"tasks {status}", lambda view, status=status: _all_pages(view, TaskQuery(statuses=(status,), limit=2))
    for task_id in task_ids:
        yield f"same_error {task_id}", lambda view, task_id=task_id: view.same_error(task_id, 2)
        yield f"of error {task_id}", lambda view, task_id=task_id: _with_same_error(view, task_id)
    yield "undiagnosed", lambda view: view.undiagnosed(3)
    for projects in (None, ("default",), ("other", "none"), ()):
        yield f"count_by_status {projects}", lambda v, p=projects: _sorted(v.count_by_status(p))
        yield f"count_by_status live {projects}", lambda v, p=projects: _sorted(v.count_by_status(p, archived=False))
        yield f"facets {projects}", lambda v, p=projects: v.facets(TaskQuery(projects=p, archived=False))
        yield f"count_stale {projects}", lambda v, p=projects: v.count_stale(p)
        yield f"count_archived {projects}", lambda v, p=projects: v.count_archived(p)
        yield f"project_names {projects}", lambda v, p=projects: v.project_names(p)
        yield f"saved_views {projects}", lambda v, p=projects: _without_time(v.saved_views(p))
        yield f"count_open_permissions {projects}", lambda v, p=projects: v.count_open_permissions(p)
        yield f"open_permissions {projects}", lambda v, p=projects: v.open_permissions(50, p)
        yield f"closed_permissions {projects}", lambda v, p=projects: v.closed_permissions(50, p)
        yield f"events_after {projects}", lambda v, p=projects: v.events_after(5, 200, projects=p)
        yield f"audits {projects}", lambda v, p=projects: _without_time(v.audits(projects=p))
    for projects in (None, ("default",), ()):
        yield f"kinds {projects}", lambda v, p=projects: v.kinds(projects=p)
        yield f"newest_runs {projects}", lambda v, p=projects: _sorted(v.newest_runs(["build", "audit"], 2, p))
    yield "kinds after", lambda v: v.kinds("audit", 1)
    yield "fingerprints", lambda v: _sorted(v.fingerprints([*task_ids, "none"]))
    yield "has_content", lambda v: v.has_content("t0", "0" * 64)
    yield "content_piece", lambda v: v.content_piece("t0", "0" * 64, 0)
    yield "events_after of two", lambda v: v.events_after(100, 100, tasks=task_ids[1:3])
    yield "latest_event_id", lambda v: v.latest_event_id()
    yield "standings", lambda v: _sorted(v.standings([*task_ids, "none"]))
    yield "expiring_permissions", lambda v: _without_identity(v.expiring_permissions())
    yield "audits of t6", lambda v: _without_time(v.audits("t6", 1))
    yield "audits before", lambda v: _without_time(v.audits(before=2))


def reads_of_task(task_id: str) -> Iterator[Read]:
    """Yield the reads of one task, now and at earlier seqs. It is a task of `varied_log`."""
    yield f"{task_id} task", lambda v: v.task(task_id)
    yield f"{task_id} unfinished", lambda v: v.unfinished(task_id)
    yield f"{task_id} artifacts", lambda v: v.artifacts(task_id)
    yield f"{task_id} artifacts before", lambda v: v.artifacts(task_id, 2, 30)
    yield f"{task_id} artifact", lambda v: v.artifact(task_id, 1)
    yield f"{task_id} head", lambda v: v.head(task_id)
    for brief in (False, True):
        mark = f"{task_id}{' brief' if brief else ''}"

        def of(view: Reading, brief: bool = brief) -> Reading:
            return view.brief() if brief else view

        for at in (0, 1, 37, 500, 9_999, 10**6):
            yield f"{mark} events {at}", lambda v, at=at, of=of: of(v).events(task_id, at, 200)
            yield f"{mark} latest_events {at}", lambda v, at=at, of=of: of(v).latest_events(task_id, 50, at)
            yield f"{mark} rows_after {at}", lambda v, at=at, of=of: of(v).rows_after(task_id, at, 200)
            yield f"{mark} rows_before {at}", lambda v, at=at, of=of: _rows_before(of(v), task_id, at)
        yield f"{mark} latest_events", lambda v, of=of: of(v).latest_events(task_id)
        yield f"{mark} events_at", lambda v, of=of: of(v).events_at(task_id, [97, 3, 1, 194, 5000, 10**9])
    for at in (0, 1, 37, 200):
        yield f"{task_id} count_rows {at}", lambda v, at=at: _count_rows(v, task_id, at)
        yield f"{task_id} changing_events {at}", lambda v, at=at: v.changing_events(task_id, at, at + 2_000, 300)
        yield f"{task_id} times {at}", lambda v, at=at: v.times(task_id, at, at + 10_000)
        yield f"{task_id} next_failure {at}", lambda v, at=at: v.next_failure(task_id, at)
        yield f"{task_id} previous_failure {at}", lambda v, at=at: v.previous_failure(task_id, at)
        yield f"{task_id} error_output {at}", lambda v, at=at: v.error_output(task_id, at, 5, at // 2)
        yield f"{task_id} failures {at}", lambda v, at=at: v.failures(task_id, at, 5)
        yield f"{task_id} spans_closed_at {at}", lambda v, at=at: v.spans_closed_at(task_id, at, 5)
        yield f"{task_id} spans {at}", lambda v, at=at: v.spans(task_id, at, 200)
        yield f"{task_id} spans_changed {at}", lambda v, at=at: v.spans_changed(task_id, at, 100)
        yield (
            f"{task_id} permissions {at}",
            lambda v, at=at: v.permissions(task_id, open_only=False, after=at, limit=50),
        )
        yield f"{task_id} state at {at}", lambda v, at=at: History().state_at(v, task_id, at)
        yield f"{task_id} as of {at}", lambda v, at=at: _as_of(v, task_id, at)
    for phase in (*PHASES, "none", "\x00"):
        yield f"{task_id} phase {phase}", lambda v, phase=phase: v.events_of_phase(task_id, phase)
    for time_ in ("2026-01-05T09:00:30.000000Z", "2000-01-01T00:00:00.000000Z", "2999-01-01T00:00:00.000000Z"):
        yield f"{task_id} first_seq_at {time_}", lambda v, time_=time_: v.first_seq_at(task_id, time_)
    kinds = ("checkpoint_commit", "evidence_linked", "log")
    for naming in ("", "checkpoint \x00 1", "DISK", "100%", 'said "no"'):
        yield f"{task_id} types {naming}", lambda v, n=naming: v.events_of_types(task_id, kinds, 40, naming=n, after=9)
    for query in _searches():
        yield f"{task_id} search {query}", lambda v, query=query: v.search(task_id, query, 20, 40)
    yield f"{task_id} phases", lambda v: v.phases(task_id)
    yield f"{task_id} checkpoints", lambda v: v.checkpoints(task_id, 100)
    ids = ("checkpoint \x00 1", "checkpoint \x00 2", "nothing")
    yield f"{task_id} some checkpoints", lambda v: v.checkpoints(task_id, ids=ids)
    yield f"{task_id} earlier checkpoints", lambda v: v.checkpoints(task_id, 2, before=60)
    yield f"{task_id} all spans", lambda v: v.spans(task_id, 0, 1000)
    yield f"{task_id} open_spans", lambda v: v.open_spans(task_id, 100)
    for limit in (1, 5, 30):
        yield f"{task_id} span_window {limit}", lambda v, limit=limit: v.span_window(task_id, limit, limit)
    for levels in (0, 1, 6):
        yield f"{task_id} span_parents {levels}", lambda v, n=levels: v.span_parents(task_id, ("span-1", "none"), n)
        yield (
            f"{task_id} spans_with_ancestors {levels}",
            lambda v, n=levels: v.spans_with_ancestors(task_id, ("span-1", "none"), n),
        )
    for span_id in ("span-1", "span-2", "none", "\x00"):
        yield f"{task_id} span {span_id}", lambda v, s=span_id: v.span(task_id, s)
        yield f"{task_id} span_children {span_id}", lambda v, s=span_id: v.span_children(task_id, s, 20)
        yield f"{task_id} span_descendants {span_id}", lambda v, s=span_id: v.span_descendants(task_id, s, 3, 1000)
        yield f"{task_id} child_counts {span_id}", lambda v, s=span_id: v.child_counts(task_id, [s])
    for checkpoint_id in ("checkpoint \x00 0", "none"):
        yield f"{task_id} checkpoint {checkpoint_id}", lambda v, c=checkpoint_id: v.checkpoint(task_id, c)
    for request_id in ("request 0", "request 0" + "é" * 900, "none", "\x00"):
        yield f"{task_id} permission {request_id[:12]}", lambda v, r=request_id: v.permission(task_id, r)
    yield f"{task_id} closed permissions", lambda v: v.closed_permissions(20, None, task_id)
    yield f"{task_id} messages", lambda v: v.messages(task_id, limit=20)
    yield f"{task_id} untaken messages", lambda v: v.messages(task_id, untaken=True, after=1)
    yield f"{task_id} newest messages", lambda v: v.latest_messages(task_id, 3)
    yield f"{task_id} open permissions", lambda v: v.open_permissions(20, None, task_id)
    yield f"{task_id} audited_identity", lambda v: _is_none(v.audited_identity(task_id))


def _searches() -> Iterator[LogQuery]:
    for word in (*WORDS, "DISK FULL", "ärger", "ошибка", "нет М", "failed", "[31m", '"no"', "of_it", "o__t", "\x00"):
        yield LogQuery(text=word)
    yield LogQuery()
    yield LogQuery(rows=True, until=100)
    yield LogQuery(failures=True)
    yield LogQuery(event_type="runner_heartbeat", rows=True)
    yield LogQuery(event_type="log", phase="executing", actor="worker", span_id="span-1")
    for level in ("error", "Critical", "7", "nothing", "\x00"):
        yield LogQuery(level=level)
    yield LogQuery(stream="STDERR", text="disk", failures=True)


async def _with_same_error(view: Reading, task_id: str) -> list[Any]:
    same = await view.same_error(task_id)
    return await _all_pages(view, TaskQuery(fingerprint=same.fingerprint)) if same else []


async def _all_pages(view: Reading, query: TaskQuery) -> list[Any]:
    found: list[Any] = []
    before = None
    while True:
        page = await view.tasks(msgspec.structs.replace(query, before=before))
        found += page.tasks
        before = page.cursor
        if before is None:
            return [*found, page.event_id]


async def _rows_before(view: Reading, task_id: str, at: int) -> Any:
    latest = (await view.task(task_id)).latest_seq
    return await view.rows_before(task_id, min(at, latest + 1), 200, 3)


async def _count_rows(view: Reading, task_id: str, at: int) -> int:
    return await view.count_rows(task_id, min(at, (await view.task(task_id)).latest_seq))


async def _as_of(view: Reading, task_id: str, at: int) -> list[Any]:
    past = PastReading(view, await History().state_at(view, task_id, at))
    return [await past.rows_before(task_id, at + 1), await past.search(task_id, LogQuery(text="disk")),
            await past.span_window(task_id, 20, 20)]  # fmt: skip


async def _is_none(reading: Awaitable[Any]) -> bool:
    return await reading is None


async def _without_identity(reading: Awaitable[list[tuple[Any, ...]]]) -> list[tuple[Any, ...]]:
    return [row[:-1] for row in await reading]


async def _sorted(reading: Awaitable[dict[str, Any]]) -> list[tuple[str, Any]]:
    return sorted((await reading).items())


async def _without_time(reading: Awaitable[list[Any]]) -> list[dict[str, Any]]:
    fields = [one if isinstance(one, dict) else msgspec.structs.asdict(one) for one in await reading]
    return [{**one, "at": "", "created_at": "", "identity": ""} for one in fields]

"""Test the list of tasks: orders, filters, pages, and the actions of people on it."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from signalbox.store import (
    SORTS,
    Conflict,
    Event,
    InvalidEvent,
    NewEvent,
    Sort,
    Store,
    TaskQuery,
    TaskRecord,
    UnknownTask,
)
from signalbox.store.contract import Facets
from signalbox.store.errors import NotFound
from signalbox.store.state import Task
from signalbox.store.task_query import bound_timestamp
from signalbox.store.times import now

ADA = {"actor": "ada@example.org", "source": "192.0.2.7"}


def event(event_type: str, **payload: Any) -> NewEvent:
    return NewEvent(event_type=event_type, payload=payload)


def import_task(store: Store, task_id: str, *events: tuple[str, str], created_at: str | None = None) -> Task:
    """Write a task whose events are pairs of a type and a time of the day."""
    times = [f"2025-03-05T{at}.000000Z" for _, at in events]
    log = [
        Event(event_id=0, task_id=task_id, seq=seq, event_type=kind, phase=None, actor="runner", span_id="s",
              parent_span_id=None, payload_json=b"{}", created_at=at)  # type: ignore[arg-type]
        for seq, ((kind, _), at) in enumerate(zip(events, times, strict=True), 1)
    ]  # fmt: skip
    return store.import_task(TaskRecord(task_id=task_id, created_at=created_at or times[0]), log)


async def listed_ids(store: Store, **query: Any) -> list[str]:
    """Return the ids of all tasks of a query, read in pages of three."""
    found: list[str] = []
    before = None
    while True:
        async with store.read() as view:
            page = await view.tasks(TaskQuery(**query, before=before, limit=3))
        found += [task.task_id for task in page.tasks]
        before = page.cursor
        if before is None:
            return found


async def task(store: Store, task_id: str) -> Task:
    async with store.read() as view:
        return await view.task(task_id)


async def counts(store: Store, archived: bool | None = None) -> dict[str, int]:
    async with store.read() as view:
        return await view.count_by_status(archived=archived)


async def audits(store: Store) -> list[tuple[str, str, str | None, str | None]]:
    async with store.read() as view:
        return [(a["actor"], a["action"], a["task_id"], a["source"]) for a in (await view.audits())[::-1]]


# --- orders and filters ---------------------------------------------------------------------------------------


async def test_every_order_lists_every_task_once_over_all_pages(store: Store) -> None:
    for n in range(8):
        ended = f"1{n * 3 % 8}:{n % 6}7:00"
        import_task(store, f"t{n}", ("runner_spawn", f"0{n % 4}:00:00"), ("runner_exit", ended))
    tasks = [await task(store, f"t{n}") for n in range(8)]
    expected = {
        "newest": sorted(tasks, key=lambda t: (t.created_at, t.task_id), reverse=True),
        "oldest": sorted(tasks, key=lambda t: (t.created_at, t.task_id)),
        "active": sorted(tasks, key=lambda t: (t.updated_at, t.task_id), reverse=True),
    }
    for sort, order in expected.items():
        assert await listed_ids(store, sort=sort) == [t.task_id for t in order], sort
    order_key = {t.task_id: (t.ended_at or "")[11:] + (t.started_at or "")[11:] for t in tasks}
    longest = await listed_ids(store, sort="longest")
    assert sorted(longest) == sorted(order_key)
    for first, second in pairwise([await task(store, task_id) for task_id in longest]):
        assert _duration(first) >= _duration(second)


async def test_a_page_of_tasks_with_long_metadata_is_bounded_in_bytes(store: Store) -> None:
    created = [store.create_task(f"small{n}")[0].task_id for n in range(60)]
    created += [store.create_task(f"long{n}", metadata={"x": "y" * 250_000})[0].task_id for n in range(18)]
    created += [store.create_task(f"late{n}")[0].task_id for n in range(51)]
    sizes, found, before = [], [], None
    async with store.read() as view:
        while True:
            page = await view.tasks(TaskQuery(limit=500, before=before))
            found += [one.task_id for one in page.tasks]
            sizes.append(len(page.tasks))
            if (before := page.cursor) is None:
                break
    assert found == created[::-1]
    assert sizes == [51 + 16, 2 + 60]


def _duration(of: Task) -> int:
    def seconds(at: str) -> int:
        return int(at[11:13]) * 3600 + int(at[14:16]) * 60

    assert of.started_at
    assert of.ended_at
    return seconds(of.ended_at) - seconds(of.started_at)


async def test_paging_loses_no_task_with_an_equal_duration(store: Store) -> None:
    for n in range(7):
        import_task(store, f"t{n}", ("runner_spawn", "10:00:00"), ("runner_exit", "10:00:07"))
    store.append("runs", event("runner_spawn"))
    assert await listed_ids(store, sort="longest") == [f"t{n}" for n in range(6, -1, -1)]


async def test_an_event_moves_its_task_to_the_top_when_sorted_by_activity(store: Store) -> None:
    for n in range(4):
        import_task(store, f"t{n}", ("runner_spawn", f"10:00:0{n}"))
    store.append("t1", event("log"))
    assert await listed_ids(store, sort="active") == ["t1", "t3", "t2", "t0"]


async def test_a_resumed_run_has_no_duration(store: Store) -> None:
    store.append("run", [event("runner_spawn"), event("runner_exit", exit_code=1)])
    assert await listed_ids(store, sort="longest") == ["run"]
    store.append("run", event("runner_spawn"))
    assert await listed_ids(store, sort="longest") == []


async def test_the_list_can_be_limited_by_creation_time(store: Store) -> None:
    for n in range(4):
        import_task(store, f"t{n}", ("log", f"1{n}:00:00"))
    store.create_task("today")
    since, until = "2025-03-05T11:00:00.000000Z", "2025-03-05T13:00:00.000000Z"
    assert await listed_ids(store, since=since, until=until, sort="oldest") == ["t1", "t2"]
    assert await listed_ids(store, since="1h") == ["today"]
    assert await listed_ids(store, until="1h", since="99999d", sort="oldest") == ["t0", "t1", "t2", "t3"]


async def test_the_list_is_limited_to_visible_projects_and_the_requested_one(store: Store) -> None:
    store.create_task("plain")
    assert await listed_ids(store, project="default") == ["plain"]
    assert await listed_ids(store, projects=("default",), project="default") == ["plain"]
    assert await listed_ids(store, projects=("ours",), project="default") == []
    assert await listed_ids(store, projects=("default",), project="ours") == []
    assert await listed_ids(store, projects=()) == []
    await store.aarchive_task("plain", True, **ADA)
    async with store.read() as view:
        assert await view.project_names() == {"default": "Default"}
        assert await view.project_names(["ours"]) == {}
        assert (await view.count_archived(), await view.count_archived(["ours"])) == (1, 0)


async def test_each_facet_is_counted_with_the_other_filters(store: Store) -> None:
    for task_id, kind, *events in (
        ("a", "build", event("runner_spawn"), event("runner_exit", exit_code=1)),
        ("b", "build", event("runner_spawn")),
        ("c", "deploy", event("runner_spawn"), event("runner_exit", exit_code=1)),
        ("d", None, event("runner_spawn"), event("runner_exit", exit_code=0)),
        ("e", "build", event("runner_spawn")),
    ):
        store.create_task(
            task_id, kind=kind, title=f"Run {task_id}", metadata={"tags": {"env": "live", "run": task_id}}
        )
        store.append(task_id, events)
    await store.aarchive_task("e", True, **ADA)

    async def facets(**query: Any) -> Facets:
        async with store.read() as view:
            return await view.facets(TaskQuery(**{"archived": False, **query}))

    everything = await facets()
    assert everything.statuses == {"failed": 2, "running": 1, "done": 1}
    assert list(everything.kinds.items()) == [("build", 2), ("deploy", 1)]
    assert everything.projects == {"default": 4}
    assert everything.tags[0] == ("env", "live", 4)
    assert set(everything.tags[1:]) == {("run", task_id, 1) for task_id in "abcd"}
    assert (await facets(tags=(("run", "a"),))).tags == [("env", "live", 1), ("run", "a", 1)]
    failed = await facets(statuses=("failed",), limit=1)
    assert (failed.statuses, failed.kinds) == (everything.statuses, {"build": 1, "deploy": 1})
    assert failed.projects == {"default": 2}
    build = await facets(kind="build")
    assert (build.statuses, build.kinds) == ({"failed": 1, "running": 1}, everything.kinds)
    assert (await facets(text="run c")).kinds == {"deploy": 1}
    assert (await facets(archived=True)).kinds == {"build": 1}
    assert (await facets(stale=True)).kinds == {}
    assert await facets(projects=()) == Facets({}, {}, {}, [], 0)
    assert (await facets(project="other")).projects == {"default": 4}
    assert (await facets(since="1h")).statuses == everything.statuses
    assert (await facets(until="1h")).statuses == {}


async def test_the_last_line_of_a_task_is_its_newest_output(store: Store) -> None:
    store.append("plain", [event("log", message="first"), event("log", message="second"), event("phase_enter")])
    store.append("blank", [event("log", message="words"), event("log", message="  "), event("log")])
    store.append("long", event("log", message="x" * 9000))
    store.append("silent", event("runner_spawn"))
    ends = ("::endgroup::", "##[endgroup]\n", "travis_fold:end:install\r")
    store.append("group", [event("log", message=text) for text in ("::group::Tests", *ends)])
    store.append("old", [event("log", message="long ago"), *[event("progress_update") for _ in range(40)]])
    async with store.read() as view:
        lines = await view.last_lines(["plain", "blank", "long", "silent", "group", "old", "nobody"])
    assert lines == {"plain": "second", "blank": "words", "long": "x" * 500, "group": "::group::Tests"}


def test_a_relative_time_is_counted_from_the_full_minute() -> None:
    assert bound_timestamp("30m", "2026-11-21T14:02:59.999999Z") == "2026-11-21T13:32:00.000000Z"
    assert bound_timestamp("24h", "2026-11-21T14:02:00.000000Z") == "2026-11-20T14:02:00.000000Z"
    assert bound_timestamp("99999d", "2026-11-21T14:02:00.000000Z") == "1970-01-01T00:00:00.000000Z"
    assert bound_timestamp("2026-11-21T14:02:59.000000Z") == "2026-11-21T14:02:59.000000Z"


@pytest.mark.parametrize("sort", SORTS)
async def test_an_invalid_cursor_is_refused(store: Store, sort: Sort) -> None:
    with pytest.raises(InvalidEvent, match="cursor"):
        async with store.read() as view:
            await view.tasks(TaskQuery(sort=sort, before="nonsense"))


async def test_activity_counts_every_event_in_a_few_buckets(store: Store) -> None:
    done = import_task(store, "t", *(("log", f"10:{n // 60:02}:{n % 60:02}") for n in range(600)), ("log", "12:00:00"))
    assert done.activity is not None
    assert sum(done.activity.counts) == done.latest_seq == 601
    assert (done.activity.width, len(done.activity.counts)) == (512, 15)
    assert done.activity.counts == [512, 88, *[0] * 12, 1]
    assert (await task(store, "t")).activity == done.activity


# --- archive and delete ---------------------------------------------------------------------------------------


async def test_archived_tasks_have_their_own_list_and_can_be_restored(store: Store) -> None:
    for name in ("a", "b", "c"):
        store.append(name, event("log"))
    before = now()
    archived = await store.aarchive_task("b", True, **ADA)
    assert archived.archived_at is not None
    assert archived.archived_at >= before
    assert await listed_ids(store, archived=False) == ["c", "a"]
    assert await listed_ids(store, archived=True) == ["b"]
    assert await listed_ids(store) == ["c", "b", "a"]
    assert await counts(store, archived=False) == {"running": 2}
    assert await counts(store, archived=True) == {"running": 1}
    store.append("b", event("log"))
    assert (await task(store, "b")).archived_at == archived.archived_at
    assert await listed_ids(store, archived=True) == ["b"]
    assert (await store.aarchive_task("b", False, **ADA)).archived_at is None
    assert await listed_ids(store, archived=False) == ["c", "b", "a"]
    actor, source = ADA.values()
    assert await audits(store) == [(actor, "task_archived", "b", source), (actor, "task_restored", "b", source)]
    with pytest.raises(UnknownTask):
        await store.aarchive_task("nobody", True, **ADA)


async def test_archiving_twice_is_audited_once(store: Store) -> None:
    store.append("run", event("log"))
    first = await store.aarchive_task("run", True, **ADA)
    assert await store.aarchive_task("run", True, **ADA) == first
    assert len(await audits(store)) == 1


async def test_a_running_task_cannot_be_deleted_and_a_deletion_is_audited(store: Store) -> None:
    store.append("run", event("runner_spawn"))
    with pytest.raises(Conflict, match="it is running; cancel it first"):
        await store.adelete_task("run", **ADA)
    store.append("run", event("permission_request", request_id="r", tool_name="rm"))
    with pytest.raises(Conflict, match="waiting"):
        await store.adelete_task("run", **ADA)
    assert await audits(store) == []
    store.append("run", event("runner_exit", exit_code=0))
    assert (await store.adelete_task("run", **ADA)).status == "done"
    assert await listed_ids(store) == []
    with pytest.raises(UnknownTask):
        await store.adelete_task("run", **ADA)
    actor, source = ADA.values()
    assert await audits(store) == [(actor, "task_deleted", "run", source)]


async def test_every_change_of_the_list_advances_its_position(store: Store) -> None:
    """A live list learns of every change from its position, also when no event was appended."""
    store.append("run", event("runner_spawn"))
    store.append("old", event("runner_exit"))

    async def position() -> int:
        async with store.read() as view:
            return await view.latest_event_id()

    at = [await position()]
    assert await store.amark_stale("run", 1)
    at.append(await position())
    await store.aarchive_task("run", True, **ADA)
    at.append(await position())
    await store.adelete_task("old", **ADA)
    at.append(await position())
    view = await store.asave_view("Mine", "status=failed", **ADA)
    at.append(await position())
    await store.adelete_view(view.view_id, **ADA)
    at.append(await position())
    assert len(set(at)) == len(at)
    assert at == sorted(at)


# --- stale runs -----------------------------------------------------------------------------------------------


async def test_a_run_is_stale_until_its_next_event(store: Store) -> None:
    store.append("run", event("runner_spawn"))
    store.append("other", event("runner_spawn"))
    assert await store.amark_stale("run", 1)
    assert not await store.amark_stale("run", 1)
    assert (await task(store, "run")).stale
    assert await listed_ids(store, stale=True) == ["run"]
    async with store.read() as view:
        assert await view.count_stale() == 1
        assert await view.count_stale(["nobody's"]) == 0
    store.append("run", event("log"))
    assert not (await task(store, "run")).stale
    assert await listed_ids(store, stale=True) == []


async def test_a_run_with_a_newer_event_or_an_ended_run_is_not_marked_stale(store: Store) -> None:
    store.append("run", [event("runner_spawn"), event("log")])
    store.append("done", event("runner_exit"))
    assert not await store.amark_stale("run", 1)
    assert not await store.amark_stale("done", 1)
    assert await listed_ids(store, stale=True) == []


# --- saved views ----------------------------------------------------------------------------------------------


async def test_saving_and_deleting_a_view_are_audited(store: Store) -> None:
    nightly = await store.asave_view("Nightly", "kind=build&since=24h", **ADA)
    await store.asave_view("broken", "status=failed", **ADA)
    async with store.read() as view:
        assert [saved.name for saved in await view.saved_views()] == ["broken", "Nightly"]
    with pytest.raises(Conflict, match="'nightly' already"):
        await store.asave_view("nightly", "", **ADA)
    for name in ("", "x" * 81, "two\nlines"):
        with pytest.raises(InvalidEvent, match="name"):
            await store.asave_view(name, "", **ADA)
    assert await store.adelete_view(nightly.view_id, **ADA) == nightly
    with pytest.raises(NotFound):
        await store.adelete_view(nightly.view_id, **ADA)
    async with store.read() as view:
        assert [saved.name for saved in await view.saved_views()] == ["broken"]
    assert [action for _, action, _, _ in await audits(store)] == ["view_saved", "view_saved", "view_deleted"]

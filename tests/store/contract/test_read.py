"""Test reading: one consistent view, pages by cursor, and no part of an unfinished transaction."""

from __future__ import annotations

import asyncio

import pytest

from signalbox.store import InvalidEvent, LogQuery, NewEvent, Store, TaskQuery, UnknownTask, open_store


def logs(count: int, **fields: object) -> list[NewEvent]:
    return [NewEvent(event_type="log", payload={"n": n}, **fields) for n in range(count)]  # type: ignore[arg-type]


async def test_paging_through_a_log_returns_every_event_once(store: Store) -> None:
    store.append("run", logs(250))
    seen, cursor = [], 0
    while True:
        async with store.read() as view:
            page = await view.events("run", cursor, 100)
        if not page:
            break
        seen += [event.seq for event in page]
        cursor = page[-1].seq
    assert seen == list(range(1, 251))


async def test_the_changing_events_and_the_times_of_a_range_can_be_read(store: Store) -> None:
    store.append("run", [NewEvent(event_type="runner_spawn"), *logs(20), *logs(20, span_id="other"), *logs(3)])
    async with store.read() as view:
        log = await view.events("run", 0, 100)
        assert [event.seq for event in await view.changing_events("run", 0, 44, 100)] == [1, 22]
        assert [event.seq for event in await view.changing_events("run", 0, 44, 1)] == [1]
        assert [event.seq for event in await view.changing_events("run", 1, 21, 100)] == []
        assert await view.changing_events("run", 21, 22, 100) == [log[21]]
        assert await view.times("run", 5, 30) == [event.created_at for event in log[5:30]]
        assert await view.times("run", 44, 50) == []
        assert await view.times("nobody", 0, 50) == []


async def test_a_view_does_not_see_later_writes(store: Store) -> None:
    store.append("run", logs(3))
    async with store.read() as view:
        before = await view.task("run")
        await store.aappend("run", logs(5))
        assert (await view.task("run")).latest_seq == before.latest_seq == 3
        assert len(await view.events("run", 0, 100)) == 3
    async with store.read() as view:
        assert (await view.task("run")).latest_seq == 8


async def test_many_views_can_be_open_at_once(store: Store) -> None:
    store.append("run", logs(10))

    async def count_latest() -> int:
        async with store.read() as view:
            await asyncio.sleep(0)
            return len(await view.latest_events("run", 5))

    assert await asyncio.gather(*(count_latest() for _ in range(50))) == [5] * 50


async def test_the_newest_events_come_first_and_can_be_paged_backwards(store: Store) -> None:
    store.append("run", logs(30))
    async with store.read() as view:
        newest = await view.latest_events("run", 10)
        older = await view.latest_events("run", 10, before=newest[-1].seq)
    assert [event.seq for event in newest + older] == list(range(30, 10, -1))


async def test_tasks_are_listed_newest_first_with_pages_and_filters(store: Store) -> None:
    for n in range(25):
        store.create_task(f"task-{n:02}", title=f"Title {n} 100%", kind="build" if n % 2 else "audit")
    store.append("task-03", NewEvent(event_type="runner_exit", payload={"exit_code": 1}))
    async with store.read() as view:
        pages, cursor = [], None
        while True:
            page = await view.tasks(TaskQuery(limit=10, before=cursor))
            pages.append([task.task_id for task in page.tasks])
            cursor = page.cursor
            if cursor is None:
                break
        assert [len(page) for page in pages] == [10, 10, 5]
        assert [task_id for page in pages for task_id in page] == [f"task-{n:02}" for n in range(24, -1, -1)]
        failed = await view.tasks(TaskQuery(statuses=("failed",)))
        assert [task.task_id for task in failed.tasks] == ["task-03"]
        assert len((await view.tasks(TaskQuery(text="7 100%"))).tasks) == 2
        assert len((await view.tasks(TaskQuery(text="_"))).tasks) == 0
        assert len((await view.tasks(TaskQuery(kind="audit", limit=50))).tasks) == 13
        assert await view.count_by_status() == {"queued": 24, "failed": 1}
        with pytest.raises(InvalidEvent):
            await view.tasks(TaskQuery(before="nonsense"))


async def test_an_unknown_task_raises_unknown_task(store: Store) -> None:
    async with store.read() as view:
        with pytest.raises(UnknownTask):
            await view.task("nobody")
        with pytest.raises(UnknownTask):
            await view.head("nobody")


async def test_limits_and_filters_of_parts_mean_the_same_in_every_kind_of_store(
    url: str, request: pytest.FixtureRequest
) -> None:
    # The events of people are appended in the database of the server.
    server = request.getfixturevalue("contract_server") if url.startswith("http") else None
    store, database = open_store(url), open_store(server.store_url if server else url)
    database.append("ended", NewEvent(event_type="runner_spawn"))
    message = NewEvent(event_type="message_sent", payload={"text": "too late", "by": "ann"})
    database.append_audited("ended", message, actor="ann", action="message_sent")
    database.append("ended", NewEvent(event_type="runner_exit"))
    requests = [NewEvent(event_type="permission_request", payload={"request_id": str(number)}) for number in range(3)]
    database.append("asking", [NewEvent(event_type="runner_spawn"), *requests])
    async with store.read() as view:
        assert [one.text for one in await view.messages("ended", untaken=True)] == ["too late"]
        assert (await view.search("ended", LogQuery())).total == 3
        found = await view.search("ended", LogQuery(text="late"), limit=0)
        assert (found.events, found.total, found.more) == ([], 1, True)
        assert [one.request_id for one in await view.permissions("asking", after=2, limit=1)] == ["1"]
        none = [
            await view.latest_events("ended", before=1),
            await view.messages("ended", limit=0),
            await view.permissions("asking", limit=0),
            await view.artifacts("ended", limit=0),
        ]
        assert none == [[]] * len(none)
    await store.aclose()
    await database.aclose()


async def test_an_unknown_task_has_no_events_and_no_parts(store: Store) -> None:
    async with store.read() as view:
        found = [
            await view.events("unknown"),
            await view.latest_events("unknown"),
            await view.events_of_phase("unknown", "planning"),
            (await view.search("unknown", LogQuery(text="a"))).events,
            await view.spans("unknown"),
            await view.artifacts("unknown"),
            await view.messages("unknown"),
            await view.permissions("unknown"),
        ]
        assert found == [[]] * len(found)
        assert await view.span("unknown", "span") is None


async def test_events_can_be_limited_to_projects(store: Store) -> None:
    store.people.add_project("ours", "Ours")
    store.create_task("run", project_id="ours")
    for task_id in ("run", "other", "run"):
        store.append(task_id, logs(1))
    async with store.read() as view:
        ours = await view.events_after(0, projects=("ours",))
        assert [(event.task_id, event.seq) for event in ours] == [("run", 1), ("run", 2)]
        assert await view.events_after(0, tasks=("other",), projects=("ours",)) == []
        assert await view.events_after(0, projects=()) == []
        assert len(await view.events_after(0)) == 3

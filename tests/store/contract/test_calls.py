"""Test that every write is a coroutine with a blocking form, and how a store reports its state and wakes followers."""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections.abc import Callable

import pytest

from signalbox.store import Event, NewEvent, Store, TaskRecord, UnknownTask, open_store
from signalbox.store.contract import People
from signalbox.store.remote import RemoteLog
from tests.support.forked_functions import processes

LOG = NewEvent(event_type="log")


def coroutines(kind: type) -> dict[str, Callable[..., object]]:
    """Return the writes of a class: its public coroutines whose name starts with the prefix `a`."""
    words = {"account", "account_by_email", "accounts"}
    return {
        name: call
        for name, call in inspect.getmembers(kind, inspect.iscoroutinefunction)
        if name.startswith("a") and name not in words
    }


@pytest.mark.parametrize("kind", [Store, People, RemoteLog])
def test_every_write_has_a_blocking_form_with_the_same_parameters(kind: type) -> None:
    writes = coroutines(kind)
    assert len(writes) >= 8
    for name, call in writes.items():
        form = getattr(kind, name.removeprefix("a"))
        assert not inspect.iscoroutinefunction(form), name
        assert inspect.signature(form) == inspect.signature(call), name


async def test_blocking_forms_work_in_threads_and_inside_a_running_loop(store: Store) -> None:
    assert store.append("run", LOG)[0].seq == 1
    with pytest.raises(UnknownTask):
        store.delete_task("other")
    stored = await asyncio.gather(*(asyncio.to_thread(store.append, "run", LOG) for _ in range(5)))
    assert sorted(events[0].seq for events in stored) == [2, 3, 4, 5, 6]
    assert (await store.aappend("run", LOG))[0].seq == 7
    assert store.append("run", LOG)[0].seq == 8


def test_a_store_works_in_successive_and_in_concurrent_event_loops(store: Store) -> None:
    async def write_and_read() -> int:
        await store.aappend("run", LOG)
        async with store.read() as view:
            return (await view.task("run")).latest_seq

    assert [asyncio.run(write_and_read()) for _ in range(3)] == [1, 2, 3]
    threads = [threading.Thread(target=lambda: asyncio.run(write_and_read())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert asyncio.run(write_and_read()) == 8


async def test_the_event_loop_keeps_running_while_a_slow_source_is_read(store: Store) -> None:
    arrived = threading.Event()

    def slow() -> list[Event]:
        arrived.wait(60)
        return store.append("source", LOG)

    class Source:
        def __iter__(self):  # type: ignore[no-untyped-def]
            yield from slow()

    record = TaskRecord(task_id="imported", created_at="2026-01-01T00:00:00.000000Z")
    importing = asyncio.create_task(store.aimport_task(record, Source()))
    await asyncio.sleep(0.05)
    assert not importing.done()
    arrived.set()
    assert (await importing).latest_seq == 1


async def test_a_program_can_delete_any_task_and_a_person_only_an_ended_one(store: Store) -> None:
    for task_id in ("one", "two"):
        await store.aappend(task_id, NewEvent(event_type="runner_spawn"))
    assert (await store.adelete_task("one")).status == "running"
    await store.aappend("two", NewEvent(event_type="runner_exit", payload={"exit_code": 0}))
    assert (await store.adelete_task("two", actor="ann")).status == "done"
    async with store.read() as view:
        assert [(audit["task_id"], audit["action"]) for audit in await view.audits()] == [("two", "task_deleted")]


async def test_an_audit_without_a_change_is_a_normal_write(store: Store) -> None:
    await store.aaudit("ann", "looked", source="10.0.0.7", detail={"n": 1})
    async with store.read() as view:
        (audit,) = await view.audits()
    assert (audit["actor"], audit["action"], audit["source"], audit["detail"]) == (
        "ann",
        "looked",
        "10.0.0.7",
        {"n": 1},
    )


async def test_stats_count_transactions_and_views(store: Store) -> None:
    before = store.stats()
    assert (before.waiting, before.views) == (0, 0)
    await store.aappend("run", [LOG, LOG])
    await store.people.aadd_project("web", "Web", actor="ann")
    assert store.stats().commits == before.commits + 2
    async with store.read():
        assert store.stats().views == 1
    assert store.stats().views == 0


async def test_followers_learn_of_no_background_work(store: Store) -> None:
    called, calls = threading.Event(), list[int]()

    def committed() -> None:
        calls.append(store.stats().commits)
        called.set()

    stop = store.on_commit(committed)
    claim = await store.aclaim("lease", "holder", 60)
    await store.acommit_position("lease", "holder", claim.epoch, 0, 60)
    await store.arelease("lease", "holder")
    await store.aappend("run", LOG)
    assert await asyncio.to_thread(called.wait, 60)
    assert len(calls) == 1
    stop()


def _append(url: str) -> None:
    store = open_store(url)
    store.append("run", LOG)
    store.close()


async def test_a_watch_reports_commits_of_other_processes(store: Store, url: str) -> None:
    called = asyncio.Event()
    watch = store.watch(called.set)
    if watch is None:
        return  # Some kinds of stores and some systems have no watches; there, followers of the log poll.
    other = processes.Process(target=_append, args=(url,))
    other.start()
    async with asyncio.timeout(60):
        await called.wait()
    await asyncio.to_thread(other.join, 60)
    watch.ignore()
    await asyncio.sleep(0.05)
    called.clear()
    second = open_store(url)
    await asyncio.to_thread(second.append, "run", LOG)
    await asyncio.sleep(0.1)
    assert not called.is_set()
    watch.listen()
    await asyncio.to_thread(second.append, "run", LOG)
    async with asyncio.timeout(60):
        await called.wait()
    watch.close()
    await second.aclose()


async def test_a_peek_reports_each_commit_once_and_events_in_commit_order(store: Store) -> None:
    peek = store.peek()
    assert await peek.moved()
    assert not await peek.moved()
    for task_id in ("a", "b", "a"):
        await store.aappend(task_id, LOG)
    assert await peek.moved()
    events = await peek.events_after(0, 10)
    assert [(event.task_id, event.seq) for event in events] == [("a", 1), ("b", 1), ("a", 2)]
    assert [event.event_id for event in events] == sorted(event.event_id for event in events)
    assert await peek.events_after(events[0].event_id, 1) == events[1:2]
    assert not await peek.moved()
    peek.forget()
    assert await peek.moved()
    await peek.aclose()

"""Test that no caller of the store is held up by another's cancellation, error, interrupt or slowness."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from signalbox.store import Conflict, NewEvent, StoreUnavailable
from signalbox.store.sql.group_commit import job
from signalbox.store.sqlite import SqliteStore
from tests.support.waiting import wait_until

LOG = NewEvent(event_type="log")


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the write lock, as another process does."""
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        other.execute("ROLLBACK")
        other.close()


def refusing(db: sqlite3.Connection) -> None:
    raise Conflict("no")


async def test_a_cancelled_append_does_not_stop_the_others_in_its_group(store: SqliteStore) -> None:
    commit_counts: list[int] = []
    store.on_commit(lambda: commit_counts.append(store.stats().commits))
    with locked(store.path):
        first = asyncio.create_task(store.aappend("first", LOG))
        await asyncio.sleep(0.1)  # The append is in its transaction and waits for the lock.
        group = [asyncio.create_task(store.aappend(f"run-{n}", LOG)) for n in range(5)]
        await asyncio.sleep(0.1)
        for cancelled in (first, group[1]):
            cancelled.cancel()
        await asyncio.gather(first, group[1], return_exceptions=True)
    remaining = [task for task in group if task is not group[1]]
    stored = await asyncio.wait_for(asyncio.gather(*remaining), 60)
    assert [events[0].seq for events in stored] == [1, 1, 1, 1]
    assert (await asyncio.wait_for(store.aappend("first", LOG), 60))[0].seq in (1, 2)
    await asyncio.to_thread(wait_until, lambda: commit_counts[-1] == store.stats().commits)


async def test_an_append_while_the_store_closes_is_committed(store: SqliteStore) -> None:
    with store._writer._lock:
        first = asyncio.create_task(store.aappend("run", LOG))
        await asyncio.to_thread(wait_until, lambda: store.stats().waiting == 1)
        closing = asyncio.create_task(store.aclose())
        await asyncio.to_thread(wait_until, lambda: store._calls._thread is not None and store._calls._thread._shutdown)
        late = asyncio.create_task(store.aappend("run", LOG))
        await asyncio.to_thread(wait_until, lambda: store.stats().waiting == 2)
    await closing
    assert [event.seq for events in await asyncio.gather(first, late) for event in events] == [1, 2]


async def test_a_caller_that_leaves_during_a_group_commit_stops_no_other(store: SqliteStore) -> None:
    started, end = threading.Event(), threading.Event()

    def slow(db: sqlite3.Connection) -> str:
        started.set()
        end.wait(60)
        return "slow"

    slow_write = asyncio.create_task(store._calls.write(slow))
    await asyncio.to_thread(started.wait, 60)
    slow_write.cancel()
    after = asyncio.create_task(store.aappend("run", LOG))
    await asyncio.gather(slow_write, return_exceptions=True)
    end.set()
    assert (await asyncio.wait_for(after, 60))[0].seq == 1
    assert store.stats().waiting == 0


def test_an_error_of_one_caller_does_not_reach_the_others(store: SqliteStore) -> None:
    with store._writer._lock, ThreadPoolExecutor(8) as pool:
        works: list[Callable[[], object]] = [
            lambda: store._writer.run(refusing),
            *[lambda n=n: store.append(f"run-{n}", LOG) for n in range(4)],  # type: ignore[misc]
        ]
        futures = [pool.submit(work) for work in works]
        wait_until(lambda: store.stats().waiting == 5)
        store._writer._drain()
        # The callers get their answers although this thread still holds the lock.
        assert isinstance(futures[0].exception(60), Conflict)
        assert all(future.result(60) for future in futures[1:])


def test_an_interrupt_in_one_thread_loses_no_event_of_another(store: SqliteStore) -> None:
    interrupts = iter([KeyboardInterrupt])

    def interrupted(db: sqlite3.Connection) -> str:
        for interrupt in interrupts:
            raise interrupt
        return "written"

    with ThreadPoolExecutor(8) as pool:
        with store._writer._lock:
            futures = [pool.submit(store.append, "run", LOG) for _ in range(3)]
            wait_until(lambda: store.stats().waiting == 3)
            interrupted_job = store._writer.submit(interrupted)
            futures += [pool.submit(store.append, "run", LOG) for _ in range(3)]
            wait_until(lambda: store.stats().waiting == 7)
            with pytest.raises(KeyboardInterrupt):
                store._writer._drain()
            # No other caller drains the queue for them, so each must finish by itself.
        wait_until(lambda: interrupted_job.done and all(future.done() for future in futures))
    assert sorted(future.result()[0].seq for future in futures) == [1, 2, 3, 4, 5, 6]
    assert interrupted_job.result() == "written"


def test_a_failing_listener_hides_no_commit(store: SqliteStore) -> None:
    calls: list[str] = []

    def failing() -> None:
        raise RuntimeError("this listener is broken")

    store.on_commit(failing)
    store.on_commit(lambda: calls.append("commit"))
    assert store.append("run", LOG)[0].seq == 1
    assert calls == ["commit"]


async def test_a_wait_for_the_lock_ends_at_the_deadline_of_its_call(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job, "JOB_TIMEOUT", 0.8)

    async def refused(call: Callable[[], object]) -> float:
        started_at = time.monotonic()
        with pytest.raises(StoreUnavailable, match="busy"):
            await awaited(call)
        return time.monotonic() - started_at

    async def awaited(call: Callable[[], object]) -> None:
        result = call()
        if asyncio.iscoroutine(result):
            await result

    async def later(call: Callable[[], object]) -> float:
        await asyncio.sleep(0.4)
        return await refused(call)

    with locked(store.path):
        waits = await asyncio.gather(
            *[refused(lambda: store.aappend("run", [LOG] * 1500)) for _ in range(8)],
            *[refused(lambda: store.people.aadd_project("p", "p")) for _ in range(20)],
            refused(lambda: store.adelete_task("run", actor="somebody")),
            *[later(lambda: store.aappend("run", LOG)) for _ in range(3)],
        )
        waits += [await refused(lambda: store.audit("somebody", "something"))]
    assert min(waits) > 0.7
    # Each of the eight long appends has a transaction of its own, so deadlines that add up would last for 6.4 s.
    assert max(waits) < 4, waits
    assert (await store.aappend("run", LOG))[0].seq == 1


async def test_a_long_transaction_does_not_extend_the_deadline_of_other_calls(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job, "JOB_TIMEOUT", 0.5)
    begun, end = threading.Event(), threading.Event()

    def work(db: sqlite3.Connection) -> bool:
        begun.set()
        return end.wait(60)

    with ThreadPoolExecutor(2) as pool:
        long = pool.submit(store._writer.run, work)
        await asyncio.to_thread(begun.wait, 60)
        started_at = time.monotonic()
        waiting = pool.submit(store.append, "run", LOG)
        with pytest.raises(StoreUnavailable, match="busy"):
            await asyncio.wait_for(store.aappend("run", LOG), 60)
        assert isinstance(waiting.exception(60), StoreUnavailable)
        assert time.monotonic() - started_at < 20
        end.set()
        assert long.result(60) is True
    assert store.append("run", LOG)[0].seq == 1

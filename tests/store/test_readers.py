"""Test the pool of read connections: each serves one view, a caller holds one at most, and only broken ones close."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack

import aiosqlite
import pytest

from signalbox.store import NewEvent, Reading, StoreUnavailable, UnknownTask, held_views, open_store
from signalbox.store.errors import NestedView
from signalbox.store.sqlite import SqliteStore, readers


@pytest.fixture
def opened_connections(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Record the connections that are opened for reading."""
    opened: list[object] = []
    real = aiosqlite.connect

    def connect(*arguments: object, **options: object) -> object:
        opened.append(arguments)
        return real(*arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(aiosqlite, "connect", connect)
    return opened


async def test_a_view_within_a_view_is_an_error(store: SqliteStore) -> None:
    async with store.read():
        with pytest.raises(NestedView):
            async with store.glance():
                pass
        with pytest.raises(NestedView):
            await store.people.project_of("run")

        async def ask() -> None:
            async with store.read():
                pass

        with pytest.raises(NestedView):
            await asyncio.gather(ask())
    async with store.read() as view:
        assert await view.latest_event_id() == 0


async def test_an_asyncio_task_started_inside_a_view_can_read_after_it(store: SqliteStore) -> None:
    ended = asyncio.Event()

    async def ask() -> int:
        await ended.wait()
        async with store.read() as view:
            return await view.latest_event_id()

    async with store.read():
        later = asyncio.create_task(ask())
    ended.set()
    assert await later == 0


async def test_a_caller_gets_a_timely_error_when_all_connections_are_in_use(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(held_views, "SLOT_TIMEOUT_S", 0.2)
    open_views = 0
    all_hold, done = asyncio.Event(), asyncio.Event()

    async def hold() -> None:
        nonlocal open_views
        async with store.read():
            open_views += 1
            if open_views == readers.MAX_READERS:
                all_hold.set()
            await done.wait()

    holders = [asyncio.create_task(hold()) for _ in range(readers.MAX_READERS)]
    await all_hold.wait()
    with pytest.raises(StoreUnavailable, match="in use") as caught:
        async with asyncio.timeout(60), store.read():
            pass
    assert caught.value.retryable
    done.set()
    await asyncio.gather(*holders)
    async with store.read() as view:
        assert await view.latest_event_id() == 0


async def fill(store: SqliteStore) -> None:
    """Open all connections that the pool allows."""
    all_held = asyncio.Barrier(readers.MAX_READERS)

    async def hold() -> None:
        async with store.read() as view:
            await view.latest_event_id()
            await all_held.wait()

    await asyncio.gather(*[hold() for _ in range(readers.MAX_READERS)])


async def test_an_error_in_a_view_costs_no_connection(store: SqliteStore, opened_connections: list[object]) -> None:
    async def fail(view_of: Callable[[], AbstractAsyncContextManager[Reading]]) -> None:
        async with view_of() as view:
            await view.task("run")
            raise ZeroDivisionError

    store.append("run", NewEvent(event_type="log"))
    await fill(store)
    descriptors = len(os.listdir("/proc/self/fd"))
    for _ in range(40):
        for view_of in (store.read, store.glance):
            with pytest.raises(UnknownTask):
                async with view_of() as view:
                    await view.task("nobody")
            with pytest.raises(ZeroDivisionError):
                await fail(view_of)
    assert len(opened_connections) == readers.MAX_READERS
    assert len(os.listdir("/proc/self/fd")) <= descriptors


async def test_cancelled_callers_do_not_cause_extra_connections(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    may_open, opening = asyncio.Event(), 0
    connect = readers.Readers._connect

    async def slowly(pool: readers.Readers) -> aiosqlite.Connection:
        nonlocal opening
        opening += 1
        await may_open.wait()
        return await connect(pool)

    async def ask() -> int:
        async with store.read() as view:
            return await view.latest_event_id()

    monkeypatch.setattr(readers.Readers, "_connect", slowly)
    for _ in range(3):
        callers = [asyncio.create_task(ask()) for _ in range(readers.MAX_READERS)]
        await asyncio.sleep(0.01)
        for task in callers:
            task.cancel()
        await asyncio.gather(*callers, return_exceptions=True)
    assert opening == readers.MAX_READERS
    may_open.set()
    assert await ask() == 0
    assert opening == readers.MAX_READERS


def test_a_read_that_fails_when_its_loop_ends_leaves_no_thread(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    raised: list[threading.Thread | None] = []
    monkeypatch.setattr(threading, "excepthook", lambda raising: raised.append(raising.thread))
    store, before = open_store(url), set(threading.enumerate())

    async def ask() -> None:
        async with store.read() as view:
            await view.task("nobody")

    for _ in range(50):
        with pytest.raises(UnknownTask):
            asyncio.run(ask())
    # Threads of earlier tests may still be ending.
    assert set(raised) <= before
    assert set(threading.enumerate()) <= before
    store.close()


async def test_a_cancelled_caller_returns_its_connection_at_once(
    store: SqliteStore, opened_connections: list[object]
) -> None:
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"

    async def ask(number: int) -> None:
        async with store.read() as view:
            await view._rows(endless)

    for _ in range(3):
        callers = [asyncio.create_task(ask(number)) for number in range(readers.MAX_READERS)]
        await asyncio.sleep(0.1)
        for task in callers:
            task.cancel()
        results = await asyncio.gather(*callers, return_exceptions=True)
        assert {type(result) for result in results} == {asyncio.CancelledError}, "each read was cancelled, none failed"
    started_at = time.monotonic()
    async with AsyncExitStack() as stack:
        view = await stack.enter_async_context(store.read())
        assert await view.latest_event_id() == 0
    assert time.monotonic() - started_at < 30, "it waited for a read of a caller that has left"
    assert len(opened_connections) <= readers.MAX_READERS

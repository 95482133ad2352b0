"""Test the tail on a real file that another store writes to."""

from __future__ import annotations

import asyncio
import contextlib
import math
import time
from collections.abc import Callable, Coroutine, Sequence
from contextlib import AbstractAsyncContextManager
from itertools import pairwise
from pathlib import Path

import pytest

from signalbox.store import Event, NewEvent, Store, open_store
from signalbox.store.contract import Reading
from signalbox.store.tail import EVENTS_IN_LOOP, MAX_REST, REST_FACTOR, Tail
from signalbox.store.wake import ALONE_AFTER, Wake
from signalbox.webapp.live.hub import UNWATCHED_REST

NO_POLL = 3600.0
PAUSE = 0.05

CLOCK_STEP = 0.001
"""Seconds by which a sleep of an event loop may end early."""

Batches = list[list[int]]


def line(text: str) -> NewEvent:
    return NewEvent(event_type="log", payload={"message": text})


def run_tail(
    tmp_path: Path,
    write: Callable[[Store, Batches], Coroutine[None, None, None]],
    pause: Callable[[], float],
    on_read: Callable[[float], None] = lambda seconds: None,
    max_rest: float = MAX_REST,
) -> Batches:
    """Return the batches that a tail, woken by the file alone, delivers while `write` appends to another store."""
    url = f"sqlite:///{tmp_path}/signalbox.db"
    batches: Batches = []

    def deliver(events: Sequence[Event]) -> None:
        if events:
            batches.append([event.seq for event in events])

    async def follow() -> None:
        store, other = open_store(url), open_store(url)
        other.create_task("t")
        wake = Wake(store, poll_interval=NO_POLL, max_poll_interval=NO_POLL)
        tail = Tail(store, deliver, wake, pause=pause, max_rest=lambda: max_rest, on_read=on_read)
        await tail.start()
        try:
            await asyncio.wait_for(write(other, batches), 60)
        finally:
            await tail.stop()
            await store.aclose()
            await other.aclose()

    asyncio.run(follow())
    return batches


async def wait_for_seq(batches: Batches, seq: int) -> None:
    while not batches or batches[-1][-1] < seq:  # noqa: ASYNC110 (the tail sets no event that a test could await)
        await asyncio.sleep(0.002)


@pytest.mark.parametrize("max_rest", [MAX_REST, UNWATCHED_REST])
def test_events_that_come_one_soon_after_the_other_are_read_a_few_at_a_time(tmp_path: Path, max_rest: float) -> None:
    async def write(store: Store, batches: Batches) -> None:
        for number in range(100):
            store.append("t", line(str(number)))
            await asyncio.sleep(0.001)
        await wait_for_seq(batches, 100)

    reads: list[tuple[float, float]] = []

    def on_read(seconds: float) -> None:
        reads.append((time.perf_counter(), seconds))

    batches = run_tail(tmp_path, write, lambda: 0.0, on_read, max_rest)
    assert [seq for batch in batches for seq in batch] == list(range(1, 101))
    # Each read costs about as much as ten events, so the tail rests after it, although the next event is there.
    for (ended, seconds), (next_ended, _) in pairwise(reads):
        assert next_ended - ended > min(max_rest, REST_FACTOR * seconds) - CLOCK_STEP


def test_a_group_of_as_many_events_as_one_read_has_costs_no_switch_to_another_thread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def read() -> tuple[list[int], int]:
        url = f"sqlite:///{tmp_path}/signalbox.db"
        store, other = open_store(url), open_store(url)
        other.create_task("t")
        found, complete, views = list[int](), asyncio.Event(), 0
        glance = store.glance

        def counted() -> AbstractAsyncContextManager[Reading]:
            nonlocal views
            views += 1
            return glance()

        def deliver(events: Sequence[Event]) -> None:
            found.extend(event.seq for event in events)
            if len(found) == 2 * EVENTS_IN_LOOP:
                complete.set()

        tail = Tail(store, deliver, Wake(store, poll_interval=NO_POLL, max_poll_interval=NO_POLL))
        await tail.start()
        monkeypatch.setattr(store, "glance", counted)
        for _ in range(2):
            other.append("t", [line("one of many")] * EVENTS_IN_LOOP)
        await asyncio.wait_for(complete.wait(), 60)
        await tail.stop()
        await store.aclose()
        await other.aclose()
        return found, views

    assert asyncio.run(read()) == (list(range(1, 2 * EVENTS_IN_LOOP + 1)), 0)


def test_events_appended_during_a_pause_are_read_together_in_order(tmp_path: Path) -> None:
    elapsed = 0.0

    async def write(store: Store, batches: Batches) -> None:
        nonlocal elapsed
        started_at = time.monotonic()
        for number in range(300):
            store.append("t", line(str(number)))
            await asyncio.sleep(0)
        await wait_for_seq(batches, 300)
        elapsed = time.monotonic() - started_at

    batches = run_tail(tmp_path, write, lambda: PAUSE)
    assert [seq for batch in batches for seq in batch] == list(range(1, 301))
    assert len(batches) <= math.ceil(elapsed / PAUSE) + 1


def test_commits_during_and_after_a_pause_are_delivered(tmp_path: Path) -> None:
    resting = asyncio.Event()

    def pause() -> float:
        resting.set()
        return 4 * PAUSE

    async def write(store: Store, batches: Batches) -> None:
        for first in (1, 3, 5):
            resting.clear()
            store.append("t", line("wakes the tail"))
            await resting.wait()
            store.append("t", line("appended during the pause"))
            await wait_for_seq(batches, first + 1)

    batches = run_tail(tmp_path, write, pause)
    assert [seq for batch in batches for seq in batch] == [1, 2, 3, 4, 5, 6]


def test_a_commit_of_this_process_wakes_followers_once(tmp_path: Path) -> None:
    async def count_wakes() -> int:
        store, woken, wakes = open_store(f"sqlite:///{tmp_path}/signalbox.db"), asyncio.Semaphore(0), 0
        wake = Wake(store, poll_interval=NO_POLL, max_poll_interval=NO_POLL)

        async def follow() -> None:
            nonlocal wakes
            while True:
                await wake.wait()
                wakes += 1
                wake.record_read(found_events=True)
                woken.release()

        following = asyncio.create_task(follow())
        for number in range(10):
            await store.aappend("t", line(str(number)))
            await asyncio.wait_for(woken.acquire(), 60)
        await asyncio.sleep(PAUSE)
        following.cancel()
        wake.close()
        await store.aclose()
        return wakes

    assert asyncio.run(count_wakes()) == 10


def test_a_commit_of_this_process_hides_none_of_others_that_write_too(tmp_path: Path) -> None:
    async def wakes_of_background_work() -> list[bool]:
        url = f"sqlite:///{tmp_path}/signalbox.db"
        store, other, called = open_store(url), open_store(url), asyncio.Event()
        watch = store.watch(called.set)
        assert watch is not None

        async def is_reported() -> bool:
            called.clear()
            await store.aclaim("lease", "holder", 60)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(called.wait(), 4 * PAUSE)
            return called.is_set()

        alone = await is_reported()
        await other.aappend("t", line("from another process"))
        await asyncio.wait_for(called.wait(), 60)
        among_others = await is_reported()
        watch.ignore()
        ignored = await is_reported()
        watch.close()
        await store.aclose()
        await other.aclose()
        return [alone, among_others, ignored]

    assert asyncio.run(wakes_of_background_work()) == [False, True, False]


class SilentWatch:
    """A watch on a file system that reports no writes."""

    def ignore(self) -> None: ...
    def listen(self) -> None: ...
    def close(self) -> None: ...


def test_polls_are_rare_only_while_no_other_process_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def first_polls() -> list[float]:
        store, loop = open_store(f"sqlite:///{tmp_path}/signalbox.db"), asyncio.get_running_loop()
        monkeypatch.setattr(store, "watch", lambda callback: SilentWatch())
        wake, scheduled, passed = Wake(store, poll_interval=0.1, max_poll_interval=2.0), list[float](), 0.0

        def call_later(delay: float, callback: Callable[[], object]) -> asyncio.Handle:
            scheduled.append(delay)
            return loop.call_soon(callback)

        async def read_after(wait: float, *, commits: bool) -> None:
            nonlocal passed
            passed += wait
            if commits:
                wake.nudge()
            await wake.wait()
            wake.record_read(found_events=True)

        now = loop.time()
        with monkeypatch.context() as patch:
            patch.setattr(loop, "call_later", call_later)
            patch.setattr(loop, "time", lambda: now + passed)
            await read_after(0, commits=True)  # after a commit of this process
            await read_after(0, commits=False)  # a poll finds events that nothing has reported
            await read_after(1, commits=True)
            await read_after(ALONE_AFTER, commits=True)
            await wake.wait()
        wake.close()
        await store.aclose()
        return scheduled[1:]

    alone, among_others, still_among_others, alone_again = asyncio.run(first_polls())
    assert among_others == still_among_others == 0.1
    # A pause of 1 s and more ends when the pauses of other loops end.
    assert min(alone, alone_again) > 0.1


def test_many_events_at_once_are_read_in_parts_of_limited_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("signalbox.store.tail.PAGE_BYTES", 100_000)

    async def write(store: Store, batches: Batches) -> None:
        await store.aappend("t", [line("x" * 1000)] * 900)
        await wait_for_seq(batches, 900)

    batches = run_tail(tmp_path, write, lambda: 0.0)
    assert [seq for batch in batches for seq in batch] == list(range(1, 901))
    assert max(map(len, batches)) <= 110

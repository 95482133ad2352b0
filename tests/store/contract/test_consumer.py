"""Test that a durable consumer gets every event at least once, in one process at a time, also when processes end."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial

import pytest

from signalbox.store import InvalidEvent, NewEvent, Store
from signalbox.store import consumer as consuming
from signalbox.store.consumer import Consumer
from signalbox.store.errors import LeaseLost
from signalbox.store.wake import Wake

LEASE = 1.0


def emit(store: Store, task_id: str, *messages: int) -> None:
    store.append(task_id, [NewEvent(event_type="log", payload={"n": n}) for n in messages])


async def next_seqs(consumer: Consumer) -> list[int]:
    """Return the seqs of the next batch of a consumer."""
    async with asyncio.timeout(60):
        return [event.payload["n"] for event in await anext(consumer)]


async def yields_nothing(consumer: Consumer, seconds: float = 0.5) -> bool:
    """Return whether a consumer yields nothing for `seconds`."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await anext(consumer)
            return False
    return True


async def test_a_consumer_continues_after_its_last_commit(store: Store) -> None:
    emit(store, "run", 1, 2, 3)
    async with Consumer(store, "search", limit=2) as consumer:
        assert consumer.position == 0
        assert await next_seqs(consumer) == [1, 2]
        await consumer.commit()
        assert await next_seqs(consumer) == [3]
    async with Consumer(store, "search", limit=2) as consumer:
        assert await next_seqs(consumer) == [3], "uncommitted events are delivered again"
        await consumer.commit()
        emit(store, "run", 4)
        assert await next_seqs(consumer) == [4]
    async with Consumer(store, "retention") as another:
        assert await next_seqs(another) == [1, 2, 3, 4], "each consumer name has its own position"


async def test_a_waiting_consumer_gets_new_events_at_once(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(consuming, "Wake", partial(Wake, poll_interval=60, max_poll_interval=60))
    async with Consumer(store, "search") as consumer:
        waiting = asyncio.create_task(next_seqs(consumer))
        await asyncio.sleep(0.3)
        started_at = time.monotonic()
        await store.aappend("run", NewEvent(event_type="log", payload={"n": 1}))
        assert await waiting == [1]
        assert time.monotonic() - started_at < 20


async def test_events_of_a_deleted_task_do_not_block_a_consumer(store: Store) -> None:
    emit(store, "gone", 1, 2)
    emit(store, "stays", 3)
    async with Consumer(store, "search", limit=1) as consumer:
        assert await next_seqs(consumer) == [1]
        store.delete_task("gone")
        await consumer.commit()
        assert await next_seqs(consumer) == [3]
        await consumer.commit()


async def test_a_second_consumer_takes_over_when_the_first_leaves(store: Store) -> None:
    emit(store, "run", 1)
    async with Consumer(store, "search", lease=LEASE) as second:
        async with Consumer(store, "search", lease=LEASE) as first:
            assert await next_seqs(first) == [1]
            await first.commit()
            emit(store, "run", 2)
            # Longer than a lease. The holder renews it in the background, although it fetches no batch meanwhile.
            assert await yields_nothing(second, 1.5 * LEASE)
            assert (first.holds_lease, second.holds_lease) == (True, False)
        assert await next_seqs(second) == [2]


async def test_a_holder_whose_lease_expired_cannot_commit(store: Store) -> None:
    emit(store, "run", 1, 2)
    async with (
        Consumer(store, "search", lease=LEASE, limit=1) as first,
        Consumer(store, "search", lease=LEASE) as second,
    ):
        assert await next_seqs(first) == [1]
        # Simulate a stopped process: its lease has expired, because nothing renewed it.
        first._leadership._renewing.cancel()
        assert await next_seqs(second) == [1, 2]
        await second.commit()
        with pytest.raises(LeaseLost, match="'search' is held by another process"):
            await first.commit()
        with pytest.raises(LeaseLost):
            await first.commit()
        emit(store, "run", 3)
        assert await yields_nothing(first)
        assert await next_seqs(second) == [3]


async def test_setting_the_clock_back_does_not_prolong_a_lease(store: Store) -> None:
    emit(store, "run", 1)
    assert (await store.aclaim("search", "dead", 3600.0)).held
    async with Consumer(store, "search", lease=LEASE) as consumer:
        started_at = time.monotonic()
        assert await next_seqs(consumer) == [1]
        assert LEASE <= time.monotonic() - started_at < 40 * LEASE


def test_a_consumer_name_is_checked(store: Store) -> None:
    with pytest.raises(InvalidEvent, match="name must have 1 to 256 characters"):
        Consumer(store, "")
    with pytest.raises(InvalidEvent, match="name"):
        store.claim("two\nlines", "me", 1.0)


WORKER = """
import asyncio, sys
from signalbox.store import open_store
from signalbox.store.consumer import Consumer

async def main(url, lease, commits):
    store = open_store(url)
    async with Consumer(store, "search", lease=float(lease), limit=10) as consumer:
        async for events in consumer:
            for event in events:
                print(event.payload["n"], flush=True)
            if consumer.position < int(commits):
                await consumer.commit()
                print("committed", flush=True)

asyncio.run(main(*sys.argv[1:]))
"""


@contextmanager
def worker(url: str, commits: int = 2**62) -> Iterator[subprocess.Popen[str]]:
    """Start another process that consumes, and commits while its position is below `commits`."""
    command = [sys.executable, "-c", WORKER, url, str(LEASE), str(commits)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        if process.stdout:
            process.stdout.close()


def line(process: subprocess.Popen[str]) -> str:
    assert process.stdout
    return process.stdout.readline().strip()


@pytest.mark.long
async def test_another_process_takes_over_when_the_holder_is_killed(store: Store, url: str) -> None:
    emit(store, "run", *range(30))
    seen: list[int] = []
    # It commits only while its position is below 5: once, after its first 10 events.
    with worker(url, commits=5) as first:
        while (output := line(first)) and not output.startswith("committed"):
            seen.append(int(output))
        assert seen == list(range(10))
        while (output := line(first)) != "29":
            seen.append(int(output))
        async with Consumer(store, "search", lease=LEASE, limit=100) as second:
            assert await yields_nothing(second, 1.5 * LEASE)
            first.kill()
            killed = time.monotonic()
            assert await next_seqs(second) == list(range(10, 30)), (
                "all events after the last commit are delivered again"
            )
            assert time.monotonic() - killed < 20 * LEASE


@pytest.mark.long
async def test_no_event_is_skipped_while_processes_start_and_end(store: Store, url: str) -> None:
    seen: set[int] = set()
    for n in range(4):
        with worker(url) as process:
            emit(store, "run", *range(25 * n, 25 * n + 25))
            while (output := line(process)) != str(25 * n + 14):
                seen.update([int(output)] if output.isdigit() else [])
            process.kill()
            assert process.stdout
            seen.update(int(output) for output in process.stdout.read().split() if output.isdigit())
            seen.add(25 * n + 14)
    async with Consumer(store, "search", lease=LEASE) as last:
        while 99 not in seen:
            seen.update(await next_seqs(last))
            await last.commit()
    assert seen == set(range(100))

"""Test that one process at a time holds a lease, that another one takes over in time, and that fences hold."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from signalbox.store import NewEvent, Store
from signalbox.store.contract import Claim, Fence
from signalbox.store.errors import LeaseLost
from signalbox.store.leadership import RENEWALS, SECONDS, Leadership

LEASE = 1.5
"""Seconds of the leases under test."""

TAKEOVER_LIMIT = 10.0
"""Seconds within which another process takes over from a process that was killed, with the default duration."""

NOTE = NewEvent(event_type="log", payload={"message": "written by the holder"})


def test_the_default_duration_allows_a_takeover_in_time() -> None:
    assert SECONDS * (1 + 1 / RENEWALS) < TAKEOVER_LIMIT


async def test_another_process_takes_over_as_soon_as_the_holder_leaves(store: Store) -> None:
    async with Leadership(store, "work", seconds=LEASE) as second:
        async with Leadership(store, "work", seconds=LEASE) as first:
            await first.acquire()
            waiting = asyncio.create_task(second.acquire())
            await asyncio.sleep(1.5 * LEASE)  # Longer than the lease: the holder renews it.
            assert (first.held, second.held, waiting.done()) == (True, False, False)
        await asyncio.wait_for(waiting, 60)
        assert second.held
    async with Leadership(store, "work", seconds=3600.0) as third:
        await third.acquire()
    assert (await store.aclaim("work", "fourth", 1.0)).held, "leaving releases the lease, before it expires"


async def test_a_process_that_stops_while_it_gets_the_lease_releases_it(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    aclaim, committed = store.aclaim, asyncio.Event()

    async def claim_without_an_answer(*args: Any, **options: Any) -> Claim:
        await aclaim(*args, **options)
        committed.set()
        await asyncio.Event().wait()
        raise AssertionError

    async def lead() -> None:
        async with Leadership(store, "work", seconds=3600.0) as stopping:
            await stopping.acquire()

    with monkeypatch.context() as while_stopping:
        while_stopping.setattr(store, "aclaim", claim_without_an_answer)
        leading = asyncio.create_task(lead())
        await committed.wait()
        leading.cancel()
        await asyncio.wait([leading])
    assert (await store.aclaim("work", "next", 1.0)).held


async def test_a_fence_refuses_the_writes_of_a_process_that_lost_its_lease(store: Store) -> None:
    store.create_task("run")
    store.append("run", NewEvent(event_type="runner_spawn", payload={}))
    async with Leadership(store, "work", seconds=LEASE) as first, Leadership(store, "work", seconds=LEASE) as second:
        await first.acquire()
        assert await store.aappend_while("run", NOTE, lambda task: True, fence=first.fence)
        # Simulate a frozen process: nothing renews its lease, and it does not notice that time passes.
        first._renewing.cancel()
        await second.acquire()
        with pytest.raises(LeaseLost, match="'work' is held by another process"):
            await store.aappend_while("run", NOTE, lambda task: True, fence=first.fence)
        with pytest.raises(LeaseLost):
            await store.amark_stale("run", 2, fence=first.fence)
        assert await store.amark_stale("run", 2, fence=second.fence)
        async with store.read() as view:
            assert (await view.task("run")).latest_seq == 2


async def test_a_fence_of_a_lease_that_nobody_claimed_refuses_writes(store: Store) -> None:
    store.create_task("run")
    with pytest.raises(LeaseLost):
        await store.aappend_while("run", NOTE, lambda task: True, fence=Fence("work", "me"))


async def test_a_holder_that_cannot_renew_in_time_counts_its_lease_as_lost(store: Store) -> None:
    losses: list[float] = []
    async with Leadership(store, "work", seconds=LEASE, on_loss=lambda: losses.append(time.monotonic())) as first:
        await first.acquire()
        acquired = time.monotonic()
        store.release("work", first.fence.holder)
        assert store.claim("work", "other", 3600.0).held
        await asyncio.wait_for(first.lost(), 60)
        assert not first.held
        assert len(losses) == 1
        assert losses[0] - acquired < LEASE


async def test_a_forgotten_lease_leaves_no_trace(store: Store) -> None:
    async with Leadership(store, "relay-1", seconds=LEASE, forget=True) as leadership:
        await leadership.acquire()
        store.commit_position("relay-1", leadership.fence.holder, store.epoch, 7, LEASE)
    assert (await store.aclaim("relay-1", "other", LEASE)).position == 0


HOLDER = """
import asyncio, sys
from signalbox.store import open_store
from signalbox.store.leadership import Leadership

async def main(url, seconds):
    store = open_store(url)
    async with Leadership(store, "work", seconds=float(seconds)) as leadership:
        await leadership.acquire()
        print("held", flush=True)
        await leadership.lost()
        print("lost", flush=True)

asyncio.run(main(*sys.argv[1:]))
"""


@contextmanager
def holder(url: str, seconds: float) -> Iterator[subprocess.Popen[str]]:
    """Start another process that takes the lease, and wait until it holds it."""
    process = subprocess.Popen([sys.executable, "-c", HOLDER, url, str(seconds)], stdout=subprocess.PIPE, text=True)
    assert process.stdout
    try:
        assert process.stdout.readline() == "held\n"
        yield process
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


@pytest.mark.long
async def test_another_process_takes_over_within_ten_seconds_when_the_holder_is_killed(store: Store, url: str) -> None:
    with holder(url, SECONDS) as process:
        async with Leadership(store, "work") as leadership:
            waiting = asyncio.create_task(leadership.acquire())
            await asyncio.sleep(0.1)
            process.kill()
            killed = time.monotonic()
            await waiting
            assert time.monotonic() - killed < TAKEOVER_LIMIT


@pytest.mark.long
async def test_a_frozen_holder_learns_that_it_lost_its_lease(store: Store, url: str) -> None:
    with holder(url, LEASE) as process:
        os.kill(process.pid, signal.SIGSTOP)
        async with Leadership(store, "work", seconds=LEASE) as leadership:
            await asyncio.wait_for(leadership.acquire(), 60)
            os.kill(process.pid, signal.SIGCONT)
            assert process.stdout
            assert await asyncio.to_thread(process.stdout.readline) == "lost\n"
            assert leadership.held

"""Test several processes on one store, which is the normal case."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from signalbox.store import NewEvent, Store, open_store
from tests.support.examples import examples
from tests.support.forked_functions import processes

EACH = examples(160)
"""How many events each writer appends while another process reads them."""


def _append_many(url: str, task_id: str, name: str, count: int) -> None:
    store = open_store(url)
    for n in range(count):
        store.append(task_id, NewEvent(event_type="log", actor=name, payload={"n": n}))
    store.close()


def _appends_of_each(url: str) -> int:
    """Return how many events each process appends. A commit takes longer on a server than in a file."""
    return examples(120 if url.startswith("sqlite:") else 60)


def _run_all(url: str, tasks: list[str]) -> None:
    count = _appends_of_each(url)
    writers = [
        processes.Process(target=_append_many, args=(url, task_id, f"p{n}", count)) for n, task_id in enumerate(tasks)
    ]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(120)
    assert [writer.exitcode for writer in writers] == [0] * len(writers)


@pytest.mark.examples
async def test_ten_processes_append_to_one_task_without_gaps_or_errors(store: Store, url: str) -> None:
    _run_all(url, ["run"] * 10)
    async with store.read() as view:
        events = await view.events("run", 0, 1_000_000)
        task = await view.task("run")
    count = _appends_of_each(url)
    assert [event.seq for event in events] == list(range(1, 10 * count + 1))
    assert task.latest_seq == 10 * count
    ids = [event.event_id for event in events]
    assert ids == sorted(set(ids))
    for n in range(10):
        assert [e.payload["n"] for e in events if e.actor == f"p{n}"] == list(range(count))


@pytest.mark.examples
async def test_ten_processes_append_to_ten_tasks(store: Store, url: str) -> None:
    _run_all(url, [f"run-{n}" for n in range(10)])
    async with store.read() as view:
        for n in range(10):
            events = await view.events(f"run-{n}", 0, 100_000)
            assert [event.seq for event in events] == list(range(1, _appends_of_each(url) + 1))
        assert await view.latest_event_id() >= 10 * _appends_of_each(url)


KILLED = """
import sys
from signalbox.store import NewEvent, open_store
store = open_store(sys.argv[1])
pair = [NewEvent(event_type="log"), NewEvent(event_type="log")]
while True:
    print(store.append("run", pair)[-1].seq, flush=True)
"""


def _append_until_killed(url: str, seconds: float) -> int:
    """Start a process that appends pairs, kill it midway, and return the last seq that it acknowledged."""
    process = subprocess.Popen([sys.executable, "-c", KILLED, url], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    acknowledged = process.stdout.readline()
    time.sleep(seconds)
    os.kill(process.pid, signal.SIGKILL)
    acknowledged += process.stdout.read()
    process.wait()
    return int(acknowledged.split("\n")[-2])


@pytest.mark.long
async def test_a_process_killed_during_appends_leaves_all_acknowledged_events_and_no_half_append(
    store: Store, url: str
) -> None:
    for seconds in (0.05, 0.1, 0.2):
        acknowledged = await asyncio.to_thread(_append_until_killed, url, seconds)
        async with store.read() as view:
            events = await view.events("run", 0, 1_000_000)
            task = await view.task("run")
        assert len(events) >= acknowledged > 0
        assert [event.seq for event in events] == list(range(1, len(events) + 1))
        assert len(events) % 2 == 0
        assert task.latest_seq == len(events)
        assert store.append("run", [NewEvent(event_type="log")] * 2)[-1].seq == len(events) + 2


@pytest.mark.long
@pytest.mark.examples
async def test_a_reader_that_continues_after_its_last_event_id_misses_nothing(store: Store, url: str) -> None:
    """Event ids follow the order of the commits, although threads and processes write at the same time."""
    others = [processes.Process(target=_append_many, args=(url, f"process-{n}", f"p{n}", EACH)) for n in range(3)]
    threads = [threading.Thread(target=_append_groups, args=(store, f"thread-{n}")) for n in range(3)]
    for writer in (*others, *threads):
        writer.start()
    last, seen = 0, list[int]()
    total = 6 * EACH
    deadline = time.monotonic() + 60
    while len(seen) < total and time.monotonic() < deadline:
        async with store.glance() as view:
            events = await view.events_after(last, 50)
        seen += [event.event_id for event in events]
        last = seen[-1] if seen else 0
        await asyncio.sleep(0)
    for writer in (*others, *threads):
        await asyncio.to_thread(writer.join, 60)
    async with store.read() as view:
        stored = [event.event_id for event in await view.events_after(0, 2 * total)]
    assert len(stored) == total
    assert seen == stored


def _append_groups(store: Store, task_id: str) -> None:
    for n in range(0, EACH, 8):
        store.append(task_id, [NewEvent(event_type="log", payload={"n": n + m}) for m in range(8)])

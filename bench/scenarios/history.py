"""Measure reading a long log: a page of events from the store, and the task page, compared with a short log."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import http.client
import random
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from bench import raw
from bench.indexed import index
from bench.process import Process
from bench.run_mix import run_events
from bench.scenarios import Scale
from bench.session import serving, temporary_store
from bench.table import Row, count, cpu, ms
from signalbox.store import Reading, open_store

TASK = "bench-0"
SHORT, MIDDLE = 100, 10_000
PAGE = 100
READS, VISITS = 400, 40
RAW_PAGE = "SELECT * FROM task_events WHERE task_id = ? AND seq > ? ORDER BY seq LIMIT ?"


def history(scale: Scale) -> Iterator[Row]:
    """Yield rows for logs of 100, 10,000 and `scale.history` events, each in a separate store."""
    with contextlib.ExitStack() as stack:
        stores = {size: stack.enter_context(temporary_store()) for size in (SHORT, MIDDLE, scale.history)}
        for size, url in stores.items():
            fill(url, size)
        yield from _pages_of_events(stores, scale.history)
        yield from _task_pages(stores, scale.history)


def fill(url: str, size: int) -> None:
    """Append the first `size` events of a run, and fill the index of the search."""
    store = open_store(url)
    store.create_task(TASK, title="A long run")
    events = run_events(size)
    for at in range(0, size, 10_000):
        store.append(TASK, events[at : at + 10_000])
    store.close()
    index(url)
    del events
    gc.collect()


def _pages_of_events(stores: dict[int, str], long: int) -> Iterator[Row]:
    times = {size: asyncio.run(_read_pages(stores[size], size)) for size in (MIDDLE, long)}
    raw_times = {size: _read_raw_pages(stores[size], size) for size in (MIDDLE, long)}
    for size in (MIDDLE, long):
        seconds, used = times[size]
        factor = seconds / times[MIDDLE][0]
        first = size == MIDDLE
        elapsed = f"{seconds * 1000:.3f} ms"
        yield Row(
            name=f"a page of {PAGE} from {count(size)} events, in the store",
            measured=elapsed if first else f"{elapsed}, {factor:.2f} × that from {count(MIDDLE)}",
            target="under 1 ms" if first else "within 2 × of it",
            met=seconds < 0.001 if first else factor < 2,
            baseline=f"raw sqlite3 {raw_times[size] * 1000:.3f} ms",
            compared=cpu(used),
            figures={"seconds": seconds, "cpu_seconds": used, "raw_seconds": raw_times[size]},
        )


async def _read_pages(url: str, size: int) -> tuple[float, float]:
    """Return the median of the elapsed seconds, and of the CPU seconds."""
    store, taken, used = open_store(url), list[float](), list[float]()
    for since in _places(size):
        began, cpu_began = time.perf_counter(), time.process_time()
        async with store.read() as view:
            await _page(view, since)
        taken.append(time.perf_counter() - began)
        used.append(time.process_time() - cpu_began)
    await store.aclose()
    return median(taken), median(used)


async def _page(view: Reading, since: int) -> None:
    events = await view.events(TASK, since_seq=since, limit=PAGE)
    if [event.seq for event in events] != list(range(since + 1, since + 1 + PAGE)):
        raise RuntimeError(f"the page after {since} is incomplete")


def _read_raw_pages(url: str, size: int) -> float:
    connection, taken = raw.connect(Path(url.removeprefix("sqlite:///"))), []
    for since in _places(size):
        began = time.perf_counter()
        connection.execute(RAW_PAGE, (TASK, since, PAGE)).fetchall()
        taken.append(time.perf_counter() - began)
    connection.close()
    return median(taken)


def _places(size: int) -> list[int]:
    places = random.Random(size)
    return [places.randrange(size - PAGE) for _ in range(READS)]


def _task_pages(stores: dict[int, str], long: int) -> Iterator[Row]:
    with contextlib.ExitStack() as stack:
        visits = {size: Visitor(*stack.enter_context(serving(url))) for size, url in stores.items()}
        _alternately([visitor.visit for visitor in visits.values()])
        short = median(visits[SHORT].taken)
        for size, visitor in visits.items():
            time_of = median(visitor.taken)
            baseline = "" if size == SHORT else f"{time_of / short:.2f} × the page of {SHORT} events"
            yield Row(
                name=f"task page of {count(size)} events: time, size of the HTML",
                measured=f"{ms(time_of * 1000)}, {visitor.size / 1000:.1f} KB",
                target="as fast as 100 events, under 100 KB" if size == long else "under 100 KB",
                met=visitor.size < 100_000 and (size != long or time_of < short * 1.25),
                baseline=baseline,
                compared=f"{cpu(median(visitor.used))}, {visitor.size / 1000:.1f} KB",
                figures={"seconds": visitor.taken, "cpu_seconds": visitor.used, "bytes": visitor.size},
            )


class Visitor:
    """Load the task page repeatedly on one connection."""

    def __init__(self, server: Process, port: int) -> None:
        self._server = server
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        self.taken: list[float] = []
        self.used: list[float] = []
        self.size = 0

    def visit(self) -> None:
        began, used = time.perf_counter(), self._server.cpu_seconds()
        self._connection.request("GET", f"/tasks/{TASK}", headers={"Accept": "text/html"})
        response = self._connection.getresponse()
        body = response.read()
        self.taken.append(time.perf_counter() - began)
        self.used.append(self._server.cpu_seconds() - used)
        self.size = len(body)
        if response.status != 200:
            raise RuntimeError(f"the task page answers {response.status}: {body[:200]!r}")


def _alternately(actions: Sequence[Callable[[], Any]]) -> None:
    for _ in range(VISITS):
        for action in actions:
            action()

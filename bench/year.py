"""One year of a small team in a few minutes: does the database stay at the size of what the rules keep?

    python -m bench.year --runs 5000 --events 10000000 --days 365 --keep 30

The clock of the store moves from day to day. Each day has some runs, and retention deletes what is too old while a
writer appends. The report has the size of the database, the times of pages, and the delays of the writer.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bench.retention_steps import RetentionSteps
from signalbox.store import NewEvent, Store, open_store
from signalbox.store.loops import Loops
from signalbox.store.retention import RetentionFile
from signalbox.store.sqlite import database
from signalbox.store.steady_clock import SteadyClock
from signalbox.webapp.app import create_app
from signalbox.webapp.retention.worker import RetentionWorker
from signalbox.webapp.settings import Settings

KINDS = ("nightly", "lint", "release", "agent")
CHUNK = 200
MAX_TURNS = 100
"""Turns of retention in a day. A server has thousands."""

FREE_BYTES = 2_000_000
"""Free space that a database keeps for the next events, and a little more."""

MAX_DELAY = 0.05
"""The longest time in seconds for which an append may wait for retention."""

MAX_GROWTH = 1.25
"""The largest size of the database later on, in relation to its size once the first runs are deleted."""


class MovedClock:
    """The clock of the store, which the soak sets to the days of the year."""

    def __init__(self) -> None:
        self.time = datetime(2026, 1, 1, tzinfo=UTC)

    def text(self) -> str:
        """Return the present time as a timestamp, a little later at each call."""
        self.time += timedelta(microseconds=50)
        return self.time.isoformat(timespec="microseconds")[:-6] + "Z"


@dataclass
class Year:
    """The measurements: the size in bytes of each day, CPU times of pages in ms, and delays of the writer in seconds.

    `quiet` are the delays while no retention works. `waits` are the parts of the delays during which retention held the
    lock of the writer: the rest is due to the machine. `turns` are the most turns of retention that a day needed.
    """

    sizes: list[int] = field(default_factory=list)
    pages: list[tuple[int, dict[str, float]]] = field(default_factory=list)
    delays: list[float] = field(default_factory=list)
    quiet: list[float] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)
    steps: RetentionSteps = field(default_factory=RetentionSteps)
    turns: int = 0
    deleted: int = 0


class Writer:
    """Appends single events to a task, which then ends, in a thread, and measures how long each append takes."""

    def __init__(self, store: Store, task_id: str, delays: list[float], year: Year) -> None:
        self._store, self._task_id, self._delays, self._year = store, task_id, delays, year
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *error: object) -> None:
        self._stopped.set()
        self._thread.join()
        self._store.append(self._task_id, NewEvent(event_type="runner_exit", payload={"exit_code": 0}))

    def _run(self) -> None:
        event = NewEvent(event_type="log", payload={"message": "a line of the writer"})
        while not self._stopped.is_set():
            begun = time.perf_counter()
            self._store.append(self._task_id, event)
            ended = time.perf_counter()
            self._delays.append(ended - begun)
            self._year.waits.append(self._year.steps.overlap(begun, ended))
            time.sleep(0.002)


def add_run(store: Store, number: int, events: int) -> str:
    """Append one run that ends."""
    task_id = f"run-{number:06}"
    store.create_task(task_id, title=f"Run {number}", kind=KINDS[number % len(KINDS)])
    store.append(task_id, NewEvent(event_type="runner_spawn", payload={"runner_pid": number}))
    for start in range(0, events, CHUNK):
        lines = range(start, min(events, start + CHUNK))
        store.append(
            task_id, [NewEvent(event_type="log", payload={"message": f"line {n} of {task_id}: ok"}) for n in lines]
        )
    store.append(task_id, NewEvent(event_type="runner_exit", payload={"exit_code": number % 10 // 9}))
    return task_id


async def page_times(url: str, task_id: str) -> dict[str, float]:
    """Return the least CPU time of each page in milliseconds, because other programs slow pages down."""
    app = create_app(Settings(store=url, host="127.0.0.1"), supervises=False)
    found = {}
    async with app.test_app():
        client = app.test_client()
        for name, path in (
            ("list", "/tasks"),
            ("task", f"/tasks/{task_id}"),
            ("search", f"/tasks/{task_id}/log?q=line"),
        ):
            times = []
            for _ in range(10):
                begun = time.process_time()
                response = await client.get(path, headers={"Host": "127.0.0.1"})
                await response.get_data()
                times.append((time.process_time() - begun) * 1000)
                if response.status_code != 200:
                    raise RuntimeError(f"{path} answers {response.status_code}")
            found[name] = min(times)
    return found


async def live(folder: Path, runs: int, events: int, days: int, keep: float) -> Year:
    """Live through the days, and return the measurements."""
    clock, year = MovedClock(), Year()
    year.steps.record()
    database.now = clock.text  # type: ignore[attr-defined]
    url = f"sqlite:///{folder / 'year.db'}"
    with closing(open_store(url)) as store:
        await _live(store, url, clock, year, runs, events, days, keep)
    return year


async def _live(
    store: Store, url: str, clock: MovedClock, year: Year, runs: int, events: int, days: int, keep: float
) -> None:
    path = url.removeprefix("sqlite:///")
    worker = RetentionWorker(
        store, RetentionFile(delete_after=keep), Loops(), clock=SteadyClock(lambda: clock.time, patience=timedelta(0))
    )
    await worker.stop()
    start, added, task_id = clock.time, 0, ""
    with Writer(store, "writer", year.quiet, year):
        await asyncio.sleep(2)
    for day in range(days):
        clock.time = start + timedelta(days=day)
        while added < runs * (day + 1) // days:
            task_id = add_run(store, added, events // runs)
            added += 1
        with Writer(store, f"writer-{day}", year.delays, year):
            year.turns = max(year.turns, await _day_of_retention(store, worker))
        year.sizes.append(os.stat(path).st_size)
        if day % 30 == 29:
            print(f"day {day + 1}: {year.sizes[-1] / 1e6:.1f} MB, {added:,} runs added", file=sys.stderr)
        if day in (int(keep), days // 2, days - 1) and task_id:
            year.pages.append((day + 1, await page_times(url, task_id)))
    year.deleted = worker.state.deleted
    async with store.read() as view:
        left = sum((await view.count_by_status()).values())
    print(f"{added:,} runs added, {year.deleted:,} deleted, {left:,} left")


async def _day_of_retention(store: Store, worker: RetentionWorker) -> int:
    """Let retention do the work of a day, and return its turns. One turn is enough unless the machine is very busy."""
    turns = 0
    while turns < MAX_TURNS:
        turns += 1
        await worker.run_pass()
        await worker.clear()
        async with store.read() as view:
            removals, space = await view.removals(), await view.database_space()
        if not worker.state.waiting and not removals and space.free <= FREE_BYTES:
            break
    return turns


def report(year: Year, keep: int) -> list[str]:
    """Print the measurements, and return what is not as it should be."""
    faults = []
    reference = max(year.sizes[keep : keep + 10] or year.sizes)
    largest = max(year.sizes[keep:] or year.sizes)
    print(f"size: {reference / 1e6:.1f} MB in the days after the first deletion, at most {largest / 1e6:.1f} MB later")
    if largest > MAX_GROWTH * reference:
        faults.append("the database grows although old runs are deleted")
    for day, times in year.pages:
        print(f"day {day}, CPU time of pages: " + ", ".join(f"{name} {at:.1f} ms" for name, at in times.items()))
    first, last = year.pages[0][1], year.pages[-1][1]
    if any(last[name] > 2 * first[name] + 10 for name in first):
        faults.append("pages are slower than in the beginning")
    for name, delays in (("without retention", year.quiet), ("during retention", year.delays)):
        found = sorted(delays)
        p999 = found[int(0.999 * (len(found) - 1))]
        print(
            f"appends {name}: {len(found):,}, median {found[len(found) // 2] * 1000:.2f} ms,"
            f" 99.9 % within {p999 * 1000:.1f} ms, longest {found[-1] * 1000:.1f} ms"
        )
    print(
        f"retention: {len(year.steps.cpu):,} steps, the longest with {max(year.steps.cpu) * 1000:.1f} ms of CPU time,"
        f" at most {year.turns} turns a day; an append waited for it for at most {max(year.waits) * 1000:.1f} ms"
    )
    if max(year.waits) > MAX_DELAY:
        faults.append(f"retention delayed an append by more than {MAX_DELAY * 1000:.0f} ms")
    return faults


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the year that the arguments describe."""
    parser = argparse.ArgumentParser(prog="python -m bench.year", description=__doc__.partition("\n")[0])
    parser.add_argument("--runs", type=int, default=5000)
    parser.add_argument("--events", type=int, default=10_000_000)
    parser.add_argument("--days", type=int, default=365)
    parser.add_argument("--keep", type=int, default=30, help="days after which runs are deleted")
    parser.add_argument("--folder", type=Path, help="for the database; by default a temporary one")
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(dir=given.folder) as folder:
        year = asyncio.run(live(Path(folder), given.runs, given.events, given.days, given.keep))
    faults = report(year, given.keep)
    for fault in faults:
        print(f"FAULT: {fault}")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())

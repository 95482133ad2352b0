"""Measure how fast `signalbox run` records the output of a command, from the terminal to the store."""

from __future__ import annotations

import asyncio
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from bench.event import TEXT
from bench.scenarios import Scale
from bench.session import COMMAND
from bench.spent import run_and_time
from bench.table import Row, count, cpu
from signalbox.store import open_store

LINES = 200_000
REACH = 50_000


def record(scale: Scale) -> Iterator[Row]:
    """Yield one row: plain lines per second, minus the time of a command that prints nothing."""
    with tempfile.TemporaryDirectory(prefix="signalbox-bench-") as directory:
        text = Path(directory, "lines.txt")
        text.write_text("".join(f"{TEXT} #{number}\n" for number in range(LINES)))
        taken, silent, bare = (list[tuple[float, float]]() for _ in range(3))
        for number in range(scale.repeats):
            store = f"sqlite:///{directory}/{number}.db"
            silent.append(run_and_time([*COMMAND, "run", "--store", store, "--task", "silent", "--", "true"]))
            taken.append(run_and_time([*COMMAND, "run", "--store", store, "--task", "lines", "--", "cat", str(text)]))
            bare.append(run_and_time([sys.executable, "-c", COPY, str(text)]))
            _check(store)
    rate = LINES / (_elapsed(taken) - _elapsed(silent))
    used = min(used for _, used in taken) - min(used for _, used in silent)
    yield Row(
        name=f"signalbox run, a command that prints {count(LINES)} plain lines: recorded",
        measured=f"{count(rate)} events/s",
        target=f"{count(REACH)}",
        met=rate >= REACH,
        baseline=f"cat through a pipe to Python, not kept: {count(LINES / _elapsed(bare))} lines/s",
        compared=f"{cpu(used / LINES)} for each event",
        figures={"events_per_s": rate, "seconds": taken, "silent_seconds": silent, "bare_seconds": bare},
    )


COPY = (
    "import subprocess, sys;"
    "child = subprocess.Popen(['cat', sys.argv[1]], stdout=subprocess.PIPE, text=True);"
    "print(sum(1 for line in child.stdout))"
)


def _elapsed(times: list[tuple[float, float]]) -> float:
    return median(seconds for seconds, _ in times)


def _check(url: str) -> None:
    async def latest() -> int:
        async with store.read() as view:
            task = await view.task("lines")
        return task.latest_seq if task else 0

    store = open_store(url)
    try:
        if (found := asyncio.run(latest())) < LINES:
            raise RuntimeError(f"{found} events are recorded of {LINES} lines")
    finally:
        store.close()

"""Measure how fast `signalbox run` records the output of a command, from the terminal to the store."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from bench.event import TEXT
from bench.scenarios import Scale
from bench.session import COMMAND
from bench.table import Row, count
from signalbox.store import open_store

LINES = 200_000
REACH = 50_000


def record(scale: Scale) -> Iterator[Row]:
    """Yield one row: plain lines per second, minus the time of a command that prints nothing."""
    with tempfile.TemporaryDirectory(prefix="signalbox-bench-") as directory:
        text = Path(directory, "lines.txt")
        text.write_text("".join(f"{TEXT} #{number}\n" for number in range(LINES)))
        taken, silent, bare = list[float](), list[float](), list[float]()
        for number in range(scale.repeats):
            store = f"sqlite:///{directory}/{number}.db"
            silent.append(_seconds([*COMMAND, "run", "--store", store, "--task", "silent", "--", "true"]))
            taken.append(_seconds([*COMMAND, "run", "--store", store, "--task", "lines", "--", "cat", str(text)]))
            bare.append(_seconds([sys.executable, "-c", COPY, str(text)]))
            _check(store)
    rate = LINES / (median(taken) - median(silent))
    yield Row(
        name=f"signalbox run, a command that prints {count(LINES)} plain lines: recorded",
        measured=f"{count(rate)} events/s",
        target=f"{count(REACH)}",
        met=rate >= REACH,
        baseline=f"cat through a pipe to Python, not kept: {count(LINES / median(bare))} lines/s",
        figures={"events_per_s": rate, "seconds": taken, "silent_seconds": silent, "bare_seconds": bare},
    )


COPY = (
    "import subprocess, sys;"
    "child = subprocess.Popen(['cat', sys.argv[1]], stdout=subprocess.PIPE, text=True);"
    "print(sum(1 for line in child.stdout))"
)


def _seconds(argv: list[str]) -> float:
    began = time.perf_counter()
    subprocess.run(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL, check=True)
    return time.perf_counter() - began


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

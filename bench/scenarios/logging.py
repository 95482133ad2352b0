"""Measure the handler of `logging`: the time of its import, and of a call, also while the server is away."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from statistics import median
from tempfile import TemporaryDirectory

from bench.scenarios import Scale
from bench.session import serving, temporary_store
from bench.supported import has
from bench.table import Row, ms

IMPORT_MS, CALL_US = 10, 15
"""Limits: milliseconds of the import, and microseconds of a call at the median."""

IMPORT = (
    "import logging, time; began = time.perf_counter(); import signalbox.integrations.logging;"
    "print(time.perf_counter() - began)"
)

CALLS = """
import json, logging, sys, time
from signalbox.integrations.logging import SignalboxHandler

logger = logging.getLogger("bench")
logger.setLevel(logging.INFO)
logger.propagate = False

def taken(handler):
    logger.handlers[:] = [handler]
    times = []
    for number in range(int(sys.argv[2])):
        began = time.perf_counter()
        logger.info("copied %d of %s", number, "home")
        times.append(time.perf_counter() - began)
        if number % 50 == 0:
            time.sleep(0.01)  # 5,000 records a second
    return sorted(times)

bare = taken(logging.NullHandler())
handler = SignalboxHandler(store=sys.argv[1])
times = taken(handler)
middle = len(times) // 2
counts = handler.task.writer.counts
print(json.dumps({"call": times[middle], "p99": times[-len(times) // 100], "bare": bare[middle], **counts}))
"""


def logging(scale: Scale) -> Iterator[Row]:
    """Yield rows for the import, and for a call with a database, with a server, and without its server.

    Yield none in an older version, which has no such handler.
    """
    if not has("signalbox.integrations.logging"):
        return
    yield _import(scale.repeats * 2)
    with temporary_store() as url:
        yield _call("with a database", url, scale)
        with serving(url) as (_, port):
            yield _call("with a server", f"http://127.0.0.1:{port}", scale)
        yield _call("while the server is away", f"http://127.0.0.1:{port}", scale)


def _import(repeats: int) -> Row:
    times = [float(_python("-c", IMPORT)) * 1000 for _ in range(repeats + 1)][1:]  # the first run may compile
    return Row(
        name="import signalbox.integrations.logging, after `logging`",
        measured=ms(median(times)),
        target=f"{IMPORT_MS} ms",
        met=median(times) < IMPORT_MS,
        figures={"ms": times},
    )


def _call(when: str, target: str, scale: Scale) -> Row:
    figures = json.loads(_python("-c", CALLS, target, str(1000 * int(scale.seconds))))
    call, p99, bare = (1e6 * figures[name] for name in ("call", "p99", "bare"))
    return Row(
        name=f"logger.info through SignalboxHandler {when}, p50 / p99",
        measured=f"{call:.1f} / {p99:.0f} µs",
        target=f"p50 {CALL_US} µs",
        met=call < CALL_US,
        baseline=f"NullHandler: {bare:.1f} µs",
        figures=figures,
    )


def _python(*words: str) -> str:
    # An installed package is compiled.
    with TemporaryDirectory() as spool:
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        environment |= {"SIGNALBOX_SPOOL_DIR": spool}
        done = subprocess.run(
            [sys.executable, *words], capture_output=True, text=True, check=True, timeout=120, env=environment
        )
    return done.stdout

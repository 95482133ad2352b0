"""Measure the search over all runs: how fast its index is filled, its size, and the time of the page."""

from __future__ import annotations

import http.client
import random
import time
from collections.abc import Iterator
from urllib.parse import quote

from bench.indexed import index
from bench.log_lines import LINES, mixed
from bench.process import Process
from bench.scenarios import Scale
from bench.session import serving, temporary_store
from bench.supported import has
from bench.table import Row, count
from signalbox.store import NewEvent, open_store

EVENTS_PER_RUN = 5_000
AT_ONCE = 8
GROUP = 20
"""Events of one append. The groups of the runs alternate, so neighbouring events are of different runs."""

TEXTS = 60_000
"""Different lines of each kind of run. Each event adds its number."""

PROJECTS = 20
PROJECT_RATE = 0.35
"""The projects have ever fewer runs: each has about 70 % of the one before."""

QUERIES = {
    "everywhere": ["the", "self", "error", "return", "batch", "GET", "200", "PASSED", "INFO batch 12", "#99"],
    "rare": ["4987", "#4987", "10.17.33", "98.7 ms", "isinstance(obj, dict)", "SELECT * FROM self WHERE", "Traceback"],
    "nowhere": ["zzzqqq", "nowhere at all", "eta nothing", "self.nothing", "deadbeef", "asyncio event loop", "%$&"],
    "none": ["", "ab"],
}
"""Texts by how frequent they are. The last ones have only filters, or are too short to be searched for."""

FILTERS = (
    "",
    "&level=error",
    "&kind=tests",
    "&status=failed",
    "&status=running",
    "&project=project-0",
    "&project=project-12",
    "&since=1h",
    "&until=2020-01-01T00:00:00Z",
    "&failed=1&kind=crash",
    "&type=runner_exit",
    "&phase=unknown",
    "&before={middle}",
    "&after={middle}",
)
LIMIT_MS = 300


def search(scale: Scale) -> Iterator[Row]:
    """Yield rows for a store with `scale.searched` events. Yield none in an older version that has no such search."""
    if not has("signalbox.store.indexing"):
        return
    with temporary_store() as url:
        fill(url, scale.searched)
        yield from figures(url, scale.searched)


def fill(url: str, events: int) -> None:
    """Append the logs of runs of several kinds, several at once. The last runs do not end."""
    store, rng, kinds = open_store(url), random.Random(7), list(LINES)
    texts = {kind: [mixed(kind, rng) for _ in range(min(TEXTS, events))] for kind in kinds}
    for project in range(PROJECTS):
        store.people.add_project(f"project-{project}", f"Project {project}")
    runs = max(1, events // EVENTS_PER_RUN)
    for first in range(0, runs, AT_ONCE):
        numbers = range(first, min(first + AT_ONCE, runs))
        for number in numbers:
            project = min(PROJECTS - 1, int(rng.expovariate(PROJECT_RATE)))
            store.create_task(f"run-{number}", kind=kinds[number % len(kinds)], project_id=f"project-{project}")
        for at in range(0, events // runs, GROUP):
            for number in numbers:
                some = texts[kinds[number % len(kinds)]]
                store.append(f"run-{number}", [_line(rng.choice(some), at + place) for place in range(GROUP)])
        for number in numbers:
            if number < runs - 3:
                code = 1 if number % 20 == 3 else 0
                store.append(f"run-{number}", NewEvent(event_type="runner_exit", payload={"exit_code": code}))
    store.close()


def _line(text: str, number: int) -> NewEvent:
    level = "error" if number % 200 == 17 else "info"
    return NewEvent(event_type="log", payload={"level": level, "stream": "stdout", "message": f"{text} #{number}"})


def figures(url: str, events: int) -> Iterator[Row]:
    """Fill the index, and measure the page."""
    began = time.perf_counter()
    state = index(url)
    took = time.perf_counter() - began
    assert state
    yield Row(
        name=f"index of {count(events)} events: speed, size",
        measured=f"{count(round(events / took))} events/s, {state.size / events:.0f} bytes per event",
        figures={"seconds": took, "bytes": state.size},
    )
    with serving(url) as (server, port):
        visitor = _Visitor(server, port)
        visitor.visit("/search?q=warm")
        every: list[tuple[float, float]] = []
        for name, texts in QUERIES.items():
            visits = [
                f"/search?q={quote(text)}{filters.format(middle=events // 2)}" for text in texts for filters in FILTERS
            ]
            taken = [visitor.visit(address) for address in visits]
            every += taken
            yield _row(f"/search, texts that are {name}", taken, {})
        yield _row(f"/search over {count(events)} events, all texts", every, {"partial": visitor.partial})


def _row(name: str, taken: list[tuple[float, float]], more: dict[str, int]) -> Row:
    ordered, cpu = (sorted(1000 * one for one in column) for column in zip(*taken, strict=True))
    p50, p95 = ordered[len(ordered) // 2], ordered[int(len(ordered) * 0.95)]
    measured = f"p50 {p50:.0f} ms, p95 {p95:.0f} ms, longest {ordered[-1]:.0f} ms; CPU {sum(cpu) / len(cpu):.0f} ms"
    return Row(
        name=name,
        measured=measured + "".join(f", {value} {what}" for what, value in more.items()),
        target=f"p95 under {LIMIT_MS} ms",
        met=p95 < LIMIT_MS,
        figures={"ms": ordered, "cpu_ms": cpu},
    )


class _Visitor:
    """Visits pages, and counts those that show only the matches up to some time."""

    def __init__(self, server: Process, port: int) -> None:
        self._server = server
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self.partial = 0

    def visit(self, address: str) -> tuple[float, float]:
        """Return the seconds until the whole page is there, and the seconds of CPU time of the server."""
        began, cpu = time.perf_counter(), self._server.cpu_seconds()
        self._connection.request("GET", address, headers={"Accept": "text/html"})
        response = self._connection.getresponse()
        body = response.read()
        took = time.perf_counter() - began
        if response.status != 200:
            raise RuntimeError(f"{address} answers {response.status}: {body[:200]!r}")
        self.partial += b"there may be more" in body
        return took, self._server.cpu_seconds() - cpu

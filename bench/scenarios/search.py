"""Measure the search over all runs: how fast its index is filled, its size, and the time of the page."""

from __future__ import annotations

import asyncio
import http.client
import random
import time
from collections.abc import Iterator
from contextlib import suppress
from itertools import accumulate
from urllib.parse import quote

from bench.scenarios import Scale
from bench.session import serving, temporary_store
from bench.table import Row, count
from signalbox.store import NewEvent, open_store
from signalbox.store.indexing import SearchIndexer
from signalbox.store.loops import Loops
from signalbox.store.search import IndexState

EVENTS_PER_RUN = 10_000
AT_ONCE = 8
GROUP = 250
WORDS = 20_000
LINE_WORDS = 8
VISITS = 12
"""Visits of each address."""

FILTERS = ("", "&level=error", "&kind=kind-3", "&status=failed", "&since=1h", "&failed=1&kind=kind-1")
LIMIT_MS = 300


def search(scale: Scale) -> Iterator[Row]:
    """Yield rows for a store with five times `scale.history` events."""
    with temporary_store() as url:
        words = fill(url, scale.history * 5)
        yield from figures(url, scale.history * 5, words)


def fill(url: str, events: int) -> list[str]:
    """Append the logs of many runs, several at once, and return the words of their lines, the most frequent first."""
    store, rng = open_store(url), random.Random(7)
    words = sorted({"".join(rng.choices("etaoinshrdlucmfwypvbgk", k=rng.randint(3, 10))) for _ in range(WORDS)})
    rng.shuffle(words)
    weights = list(accumulate(1 / (rank + 1) for rank in range(len(words))))
    texts = [" ".join(rng.choices(words, cum_weights=weights, k=LINE_WORDS)) for _ in range(50_000)]
    for project in range(4):
        store.people.add_project(f"project-{project}", f"Project {project}")
    runs = events // EVENTS_PER_RUN
    for first in range(0, runs, AT_ONCE):
        names = [f"run-{number}" for number in range(first, min(first + AT_ONCE, runs))]
        for number, name in enumerate(names, first):
            store.create_task(name, kind=f"kind-{number % 10}", project_id=f"project-{number % 4}")
        for at in range(0, EVENTS_PER_RUN, GROUP):
            for name in names:
                store.append(name, [_line(rng, texts, at + place) for place in range(GROUP)])
        for number, name in enumerate(names, first):
            code = 1 if number % 20 == 3 else 0
            store.append(name, NewEvent(event_type="runner_exit", payload={"exit_code": code}))
    store.close()
    return words


def _line(rng: random.Random, texts: list[str], number: int) -> NewEvent:
    level = "error" if number % 200 == 17 else "info"
    message = f"step {number}: {texts[rng.randrange(len(texts))]} took {rng.randrange(5000)} ms"
    return NewEvent(event_type="log", payload={"level": level, "stream": "stdout", "message": message})


def figures(url: str, events: int, words: list[str]) -> Iterator[Row]:
    """Fill the index, and measure the page."""
    began = time.perf_counter()
    state = asyncio.run(_index(url))
    took = time.perf_counter() - began
    yield Row(
        name=f"index of {count(events)} events: speed, size",
        measured=f"{count(round(events / took))} events/s, {state.size / events:.0f} bytes per event",
        figures={"seconds": took, "bytes": state.size},
    )
    with serving(url) as (_, port):
        visitor = _Visitor(port)
        queries = {
            "frequent": [*words[:8], "took", "step 99"],
            "rare": [*words[5000:5008], "step 9999", "took 4987 ms"],
            "absent": ["stationery", "absentword", "tionsheral", "0000000", "zzzqqq", "eta nothing", "%$&", "ninety"],
        }
        every: list[float] = []
        for name, texts in queries.items():
            taken = [visitor.visit(f"/search?q={quote(text)}{filters}") for text in texts for filters in FILTERS]
            every += taken
            yield _row(f"/search, {name} words", taken, {})
        yield _row(f"/search over {count(events)} events, all words", every, {"partial": visitor.partial})


def _row(name: str, taken: list[float], more: dict[str, int]) -> Row:
    ordered = sorted(seconds * 1000 for seconds in taken)
    p50, p95 = ordered[len(ordered) // 2], ordered[int(len(ordered) * 0.95)]
    measured = f"p50 {p50:.0f} ms, p95 {p95:.0f} ms" + "".join(f", {value} {name}" for name, value in more.items())
    return Row(
        name=name, measured=measured, target=f"p95 under {LIMIT_MS} ms", met=p95 < LIMIT_MS, figures={"ms": ordered}
    )


async def _index(url: str) -> IndexState:
    store = open_store(url)
    indexer = SearchIndexer(store, Loops())
    try:
        while True:
            async with store.read() as view:
                state = await view.index_state()
            if state.on and state.behind <= 16:
                return state
            await asyncio.sleep(1)
    finally:
        await indexer.stop()
        with suppress(Exception):
            await store.aclose()


class _Visitor:
    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self.partial = 0

    def visit(self, address: str) -> float:
        began = time.perf_counter()
        self._connection.request("GET", address, headers={"Accept": "text/html"})
        response = self._connection.getresponse()
        body = response.read()
        took = time.perf_counter() - began
        if response.status != 200:
            raise RuntimeError(f"{address} answers {response.status}: {body[:200]!r}")
        self.partial += b"there may be more" in body
        return took

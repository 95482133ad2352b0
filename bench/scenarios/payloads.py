"""Measure what compressed payloads save and cost, beside the same store without compression, in turns."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from bench.payloads import KINDS, payloads
from bench.scenarios import Scale
from bench.supported import has
from bench.table import Row, count
from signalbox.store import LogQuery, NewEvent, open_store
from signalbox.store.sqlite import SqliteStore

TASK = "bench-0"
TOTAL_CHARS = 6_000_000
MOST = 1500
PAGE = 100


@dataclass
class Side:
    """A store with or without compression, and the least times per event in microseconds, by what was done."""

    path: Path
    compresses: bool
    us: dict[str, float] = field(default_factory=dict)
    bytes_per_event: float = 0.0

    def open(self) -> SqliteStore:
        store = open_store(f"sqlite:///{self.path}")
        assert isinstance(store, SqliteStore)
        store._writer._connection.compresses = self.compresses
        return store

    def took(self, what: str, seconds: float, events: int) -> None:
        us = seconds / events * 1e6
        self.us[what] = min(self.us.get(what, us), us)


def payload_sizes(scale: Scale) -> Iterator[Row]:
    """Yield a row for each kind of payload. Yield none in an older version that does not compress."""
    if not has("signalbox.store.sqlite.compression"):
        return
    for kind in KINDS:
        size = len(str(next(payloads(kind, 1))))
        events = [
            NewEvent(event_type="tool_result", payload=one) for one in payloads(kind, min(MOST, TOTAL_CHARS // size))
        ]
        with tempfile.TemporaryDirectory(prefix="signalbox-bench-") as directory:
            sides = [Side(Path(directory, f"{on}.db"), on) for on in (False, True)]
            for turn in range(scale.repeats):
                for side in sides:
                    _append(side, events, turn)
            for _ in range(2 * scale.repeats):
                for side in sides:
                    asyncio.run(_read(side, len(events)))
            yield _row(kind, sides)


def _append(side: Side, events: list[NewEvent], turn: int) -> None:
    store = side.open()
    began = time.process_time()
    for event in events:
        store.append(f"{TASK}-{turn}", event)
    side.took("append", time.process_time() - began, len(events))
    store.close()
    if not turn:
        side.bytes_per_event = side.path.stat().st_size / len(events)


async def _read(side: Side, events: int) -> None:
    store = side.open()
    async with store.read() as view:
        task_id = f"{TASK}-0"
        began = time.process_time()
        assert (await view.search(task_id, LogQuery(text="absent from all"))).total == 0
        side.took("search", time.process_time() - began, events)
        page = min(PAGE, events)
        began = time.process_time()
        assert len(await view.brief().events(task_id, events - page, page)) == page
        side.took("page", time.process_time() - began, page)
    await store.aclose()


def _row(kind: str, sides: list[Side]) -> Row:
    plain, compressed = sides

    def both(of: Callable[[Side], str]) -> str:
        return f"{of(plain)} → {of(compressed)}"

    figures = {
        "bytes": both(lambda side: count(side.bytes_per_event)),
        "append": both(lambda side: f"{side.us['append']:.0f}") + " µs",
        "page": both(lambda side: f"{side.us['page']:.1f}") + " µs",
        "search": both(lambda side: f"{side.us['search']:.1f}") + " µs",
    }
    measured = ", ".join(f"{name} {text}" for name, text in figures.items())
    return Row(name=f"{kind}, each event, without → with compression", measured=measured, figures=figures)

"""Measure appends and the same inserts in plain `sqlite3`, alternately, and compare the medians."""

from __future__ import annotations

import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median

from bench import raw
from bench.run_mix import logs, run_events
from bench.scenarios import Scale
from bench.table import Row, count, cpu
from bench.together import PROCESSES, Gate, time_together
from signalbox.store import NewEvent, open_store

GROUPS = ((1, 3_000), (100, 10_000), (1_000, 20_000), (10_000, 30_000))
EVENTS_EACH = 1_000
TASK = "bench-0"

Taken = tuple[float, float]
"""Elapsed seconds, and seconds of CPU."""


def append(scale: Scale) -> Iterator[Row]:
    """Yield rows for one writer by group size, for the event mix of a run, and for ten concurrent processes."""
    for group, size in GROUPS:
        name = "one by one" if group == 1 else f"in groups of {count(group)}"
        yield _one_writer(f"append log events {name}", logs(size), group, scale)
    for group in (1, 100):
        name = "one by one" if group == 1 else f"in groups of {group}"
        yield _one_writer(f"append a run's mix of events {name}", run_events(10_000), group, scale)
    for group in (1, 100):
        yield _ten_processes(group, scale)


def _one_writer(name: str, events: Sequence[NewEvent], group: int, scale: Scale) -> Row:
    parts = [events[at : at + group] for at in range(0, len(events), group)]
    raw_parts = [raw.rows_of(part) for part in parts] if scale.baselines else []
    row = _row(
        name,
        len(events),
        _alternately(
            scale,
            lambda path: _append(path, parts),
            lambda path: _append_raw(raw.create(path, TASK), raw_parts),
            lambda path: _append_raw(raw.create(path, TASK, derived=True), raw_parts),
        ),
    )
    if group != 100:
        return row
    seconds = 10_000 / row.figures["events_per_s"]
    return replace(
        row,
        name=f"{name}: 10,000 of them",
        measured=f"{seconds:.3f} s ({row.measured})",
        target="under 0.5 s, half of raw",
        met=None if row.met is None else seconds < 0.5 and row.met,
    )


def _alternately(scale: Scale, *kinds: Callable[[Path], Taken]) -> list[list[Taken]]:
    """Return the times of each kind, each time on a new database. Without baselines, measure only the first."""
    if not scale.baselines:
        kinds = kinds[:1]
    times: list[list[Taken]] = [[] for _ in kinds]
    for _ in range(scale.repeats):
        for taken, measure in zip(times, kinds, strict=True):
            with tempfile.TemporaryDirectory(prefix="signalbox-bench-") as directory:
                taken.append(measure(Path(directory, "bench.db")))
    return times


def _append(path: Path, parts: Sequence[Sequence[NewEvent]]) -> Taken:
    store = open_store(f"sqlite:///{path}")
    store.create_task(TASK)
    began, used = time.perf_counter(), time.process_time()
    for part in parts:
        store.append(TASK, part)
    taken = time.perf_counter() - began, time.process_time() - used
    store.close()
    return taken


def _append_raw(connection: sqlite3.Connection, parts: Sequence[Sequence[raw.RawRow]]) -> Taken:
    began, used = time.perf_counter(), time.process_time()
    for part in parts:
        raw.append(connection, TASK, part)
    taken = time.perf_counter() - began, time.process_time() - used
    connection.close()
    return taken


def _ten_processes(group: int, scale: Scale) -> Row:
    name = "one by one" if group == 1 else f"in groups of {group}"
    times = _alternately(
        scale,
        lambda path: _together(path, _appender, group, derived=True),
        lambda path: _together(path, _raw_appender, group),
        lambda path: _together(path, _raw_appender, group, derived=True),
    )
    return _row(f"append from {PROCESSES} processes, {name}", PROCESSES * EVENTS_EACH, times)


def _together(path: Path, appender: Callable[[Gate, Path, int], None], group: int, *, derived: bool = False) -> Taken:
    raw.create(path, TASK, derived=derived).close()
    taken = time_together(appender, path, group)
    _check(path)
    return taken


def _appender(gate: Gate, path: Path, group: int) -> None:
    store, events = open_store(f"sqlite:///{path}"), logs(EVENTS_EACH)
    with gate:
        for at in range(0, EVENTS_EACH, group):
            store.append(TASK, events[at : at + group])
    store.close()


def _raw_appender(gate: Gate, path: Path, group: int) -> None:
    connection, rows = raw.connect(path), raw.rows_of(logs(EVENTS_EACH))
    with gate:
        for at in range(0, EVENTS_EACH, group):
            raw.append(connection, TASK, rows[at : at + group])
    connection.close()


def _check(path: Path) -> None:
    connection = raw.connect(path)
    sql = "SELECT count(*), count(DISTINCT seq), min(seq), max(seq) FROM task_events WHERE task_id = ?"
    counts, expected = connection.execute(sql, (TASK,)).fetchone(), PROCESSES * EVENTS_EACH
    connection.close()
    if counts != (expected, expected, 1, expected):
        raise RuntimeError(f"the log is incomplete after {PROCESSES} processes: {counts}")


def _row(name: str, size: int, times: list[list[Taken]]) -> Row:
    rate, *baselines = (size / median(seconds for seconds, _ in taken) for taken in times)
    compared = f"{cpu(min(used for _, used in times[0]) / size)} for each event"
    if not baselines:
        return Row(
            name=name,
            measured=f"{count(rate)} events/s",
            compared=compared,
            figures={"events_per_s": rate, "seconds": times},
        )
    plain, derived = baselines
    return Row(
        name=name,
        measured=f"{count(rate)} events/s",
        target="half of raw",
        met=rate >= plain / 2,
        baseline=f"raw sqlite3 {count(plain)}/s: {rate / plain:.2f} of it "
        f"(with the schema's derived columns {count(derived)}/s: {rate / derived:.2f})",
        compared=compared,
        figures={"events_per_s": rate, "raw_per_s": plain, "raw_derived_per_s": derived, "seconds": times},
    )

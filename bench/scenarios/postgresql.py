"""Measure appends to PostgreSQL and the same inserts with the plain driver, alternately, and compare the medians.

The server runs on this machine and writes to its disk before it answers a commit. The plain inserts take the same lock,
so that their ids are in commit order too.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from statistics import median
from typing import TYPE_CHECKING

from bench import raw
from bench.clusters import temporary_cluster
from bench.run_mix import logs
from bench.scenarios import Scale
from bench.table import Row, count
from bench.together import PROCESSES, Gate, time_together
from signalbox.store import NewEvent, open_store

if TYPE_CHECKING:
    from tests.support.postgres import Cluster

GROUPS = ((1, 1_000), (100, 10_000))
EVENTS_EACH = 300
TASK = "bench-0"
LOCK = 1
"""Any key. The raw appends take an advisory lock because the appends of the store do."""

POSITION = "SELECT last_event_id, last_seq FROM log_position, tasks WHERE task_id = %s"
INSERT = (
    "INSERT INTO task_events (event_id, task_id, seq, event_type, phase, actor, span_id, parent_span_id, payload,"
    " created_at, key, failure) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, false)"
)


def postgresql(scale: Scale) -> Iterator[Row]:
    """Yield rows for one writer by group size, and for ten processes. None if there is no PostgreSQL."""
    with temporary_cluster() as cluster:
        if cluster is None:
            return
        for group, size in GROUPS:
            name = "one by one" if group == 1 else f"in groups of {group}"
            yield _one_writer(cluster, name, logs(size), group, scale)
        yield _ten_processes(cluster, scale)


def _one_writer(cluster: Cluster, name: str, events: Sequence[NewEvent], group: int, scale: Scale) -> Row:
    parts = [events[at : at + group] for at in range(0, len(events), group)]
    raw_parts = [raw.rows_of(part) for part in parts]
    times = _in_turns(cluster, scale, lambda url: _append(url, parts), lambda url: _append_raw(url, raw_parts))
    return _row(f"append log events to PostgreSQL {name}", len(events), times)


def _in_turns(cluster: Cluster, scale: Scale, *kinds: Callable[[str], float]) -> list[list[float]]:
    """Return the seconds of each kind, each time on a new database. Without baselines, measure only the first."""
    times: list[list[float]] = [[] for _ in (kinds if scale.baselines else kinds[:1])]
    for _ in range(scale.repeats):
        for taken, measure in zip(times, kinds, strict=False):
            url = cluster.create_database()
            store = open_store(url)
            store.create_task(TASK)
            store.close()
            taken.append(measure(url))
    return times


def _append(url: str, parts: Sequence[Sequence[NewEvent]]) -> float:
    store = open_store(url)
    store.append(TASK, logs(1))
    began = time.perf_counter()
    for part in parts:
        store.append(TASK, part)
    seconds = time.perf_counter() - began
    store.close()
    return seconds


def _append_raw(url: str, parts: Sequence[Sequence[raw.RawRow]]) -> float:
    import psycopg

    with psycopg.connect(url, autocommit=True) as connection:
        began = time.perf_counter()
        for part in parts:
            _insert(connection, part)
        return time.perf_counter() - began


def _insert(connection, rows: Sequence[raw.RawRow]) -> None:  # type: ignore[no-untyped-def]
    with connection.pipeline():
        connection.execute("BEGIN")
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (LOCK,))
        event_id, seq = connection.execute(POSITION, (TASK,)).fetchone()
        values = [(event_id + n, TASK, seq + n, *row) for n, row in enumerate(rows, 1)]
        connection.cursor().executemany(INSERT, values)
        connection.execute("UPDATE tasks SET last_seq = %s WHERE task_id = %s", (seq + len(rows), TASK))
        connection.execute("UPDATE log_position SET last_event_id = %s", (event_id + len(rows),))
        connection.execute("COMMIT")


def _ten_processes(cluster: Cluster, scale: Scale) -> Row:
    times = _in_turns(
        cluster, scale, lambda url: time_together(_appender, url)[0], lambda url: time_together(_raw_appender, url)[0]
    )
    return _row(f"append to PostgreSQL from {PROCESSES} processes, one by one", PROCESSES * EVENTS_EACH, times)


def _appender(gate: Gate, url: str) -> None:
    store, events = open_store(url), logs(EVENTS_EACH)
    with gate:
        for event in events:
            store.append(TASK, event)
    store.close()


def _raw_appender(gate: Gate, url: str) -> None:
    import psycopg

    rows = raw.rows_of(logs(EVENTS_EACH))
    with psycopg.connect(url, autocommit=True) as connection, gate:
        for row in rows:
            _insert(connection, [row])


def _row(name: str, size: int, times: list[list[float]]) -> Row:
    rate, *baseline = (size / median(taken) for taken in times)
    figures = {"events_per_s": rate, "seconds": times}
    if not baseline:
        return Row(name=name, measured=f"{count(rate)} events/s", figures=figures)
    return Row(
        name=name,
        measured=f"{count(rate)} events/s",
        target="half of raw",
        met=rate >= baseline[0] / 2,
        baseline=f"raw psycopg with the same lock {count(baseline[0])}/s: {rate / baseline[0]:.2f} of it",
        figures={**figures, "raw_per_s": baseline[0]},
    )

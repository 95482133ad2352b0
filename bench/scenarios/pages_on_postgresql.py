"""Measure the pages of a task with 1,000 spans on PostgreSQL and on SQLite, alternately, and compare the medians."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import median

from bench.clusters import temporary_cluster
from bench.indexed import index
from bench.scenarios import Scale
from bench.scenarios.console import PATHS, fill, visit
from bench.session import serving, temporary_store
from bench.table import Row, count, ms
from signalbox.store import open_store

SPANS, EVENTS_BESIDE_LOGS = 1_000, 3
MORE = {"rows in the middle of the log": "/log?before={middle}", "the spans": "/spans"}
WARM_UP, VISITS = 5, 15
LIMIT = 2.0


def pages_on_postgresql(scale: Scale) -> Iterator[Row]:
    """Yield a row for each page. None if there is no PostgreSQL."""
    events = scale.history
    with temporary_store() as url, temporary_cluster(autovacuum="on") as cluster:
        if cluster is None:
            return
        urls = [url, cluster.create_database()]
        for one in urls:
            store = open_store(one)
            fill(store, events, events // SPANS - EVENTS_BESIDE_LOGS)
            store.close()
            index(one)
        with serving(urls[0]) as (_, on_sqlite), serving(urls[1]) as (_, on_postgresql):
            for name, path in (PATHS | MORE).items():
                yield _page(name, path.format(middle=events // 2), events, on_sqlite, on_postgresql)


def _page(name: str, path: str, events: int, on_sqlite: int, on_postgresql: int) -> Row:
    times: dict[int, list[float]] = {on_sqlite: [], on_postgresql: []}
    for number in range(WARM_UP + VISITS):
        for port, taken in times.items():
            elapsed, _ = visit(port, path)
            if number >= WARM_UP:
                taken.append(elapsed)
    sqlite, postgresql = (median(taken) for taken in times.values())
    return Row(
        name=f"{count(events)} events, 1,000 spans, on PostgreSQL: {name}",
        measured=f"{ms(postgresql * 1000)}, {postgresql / sqlite:.2f} × SQLite",
        target=f"within {LIMIT:.0f} × SQLite",
        met=postgresql < LIMIT * sqlite,
        baseline=f"SQLite {ms(sqlite * 1000)}",
        figures={"sqlite_seconds": times[on_sqlite], "postgresql_seconds": times[on_postgresql]},
    )

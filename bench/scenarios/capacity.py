"""Measure the capacity of one server process: deliveries per second, streams, memory, a fast task."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from bench.load.client import LoadClient
from bench.scenarios import Scale
from bench.session import QUERY, Measure, Session, bare, emitting, sample_for, serving, signalbox, temporary_store
from bench.table import Row, count, ms, p50_p99
from signalbox.webapp.settings import Settings

STREAMS = 1_000
P99_LIMIT_MS = 500
APPENDS_PER_S = 100
MIN_SHARE = 0.97
FIRST_RATE = 500.0


def capacity(scale: Scale) -> Iterator[Row]:
    """Yield rows for the most deliveries/s, streams that catch up, memory per stream, 5,000 streams, a fast task."""
    yield from _max_deliveries(scale)
    yield _catch_up()
    yield _memory()
    yield _many_streams(scale)
    yield _fast_task(scale)


def _max_deliveries(scale: Scale) -> Iterator[Row]:
    floor = None
    if scale.baselines:
        with bare(STREAMS, sample=64) as session:
            floor = _search(session, scale, lambda rate: 20).best
    baseline = f"bare server, 20 events a write: {count(_delivered(floor))}" if floor else ""
    name = f"most deliveries/s, {count(STREAMS)} streams on one task, p99 under {P99_LIMIT_MS} ms"
    limit = Settings().max_events_per_stream
    for title, settings, turn in (
        (f"{name}, each reconnecting after {count(limit)} events", {}, limit),
        (f"{name}, without reconnects", {"max_events_per_stream": 10**9}, 0),
    ):
        with signalbox(STREAMS, settings=settings, sample=64) as session:
            search = _search(session, scale, lambda rate: max(1, round(rate / APPENDS_PER_S)), turn)
            total = session.finish(cuts_allowed=True)
        yield Row(
            name=title,
            measured=search.text(),
            target="2,000,000",
            met=search.best is not None and _delivered(search.best) >= 2_000_000,
            other_products="sse-starlette 33,000; nchan 63,000 to 79,000; bare Quart 94,000",
            baseline=baseline,
            figures={"steps": search.steps, "total": total},
        )


@dataclass
class Search:
    """The tried rates (events/s, whether the server kept up, figures), and the best measurement that kept up."""

    best: Measure | None = None
    steps: list[tuple[float, bool, dict[str, Any]]] = field(default_factory=list)

    def text(self) -> str:
        """Return the result as text, with the load of the server and of the client."""
        if self.best is None:
            worst = min(step[2]["client"]["p99_ms"] for step in self.steps)
            return f"under {count(FIRST_RATE * STREAMS)}: there p99 is {ms(worst)}"
        loads = f"server {self.best.server_load:.0%} of its core, load client {self.best.client_load:.0%} of its own"
        return f"{count(_delivered(self.best))}, {p50_p99(self.best.client)} ({loads})"


def _search(session: Session, scale: Scale, group: Callable[[float], int], turn: int = 0) -> Search:
    """Search for the highest rate that the server keeps up with: double the rate, then halve the step.

    A failed rate is tried again, so that one outside disturbance does not decide. Each rate is measured until every
    stream has received `turn` events, to include work that happens once per `turn` events.
    """
    search = Search()
    rate, low, high = FIRST_RATE, 0.0, 0.0
    while not high or (low and high - low > scale.precision * low):
        for _ in range(2):
            measured = session.measure(rate, group(rate), max(scale.seconds, 1.1 * turn / rate), settle=2)
            kept_up = _keeps_up(measured, rate)
            search.steps.append((rate, kept_up, measured.figures()))
            if kept_up:
                break
        if kept_up:
            low = rate
            if search.best is None or _delivered(measured) > _delivered(search.best):
                search.best = measured
        else:
            high = rate
        rate = (low + high) / 2 if high else rate * 2
    return search


def _keeps_up(measured: Measure, rate: float) -> bool:
    emitted = measured.emitted["emitted"] / measured.emitted["seconds"]
    required = rate * STREAMS * MIN_SHARE
    in_time = measured.client["p99_ms"] < P99_LIMIT_MS and measured.client["samples"] > 0
    return in_time and emitted * STREAMS >= required and _delivered(measured) >= required


def _delivered(measured: Measure) -> float:
    return float(measured.client["deliveries_per_s"])


def _catch_up() -> Row:
    events, group = 20_000, 1_000
    with temporary_store() as url, emitting(url) as emitter:
        emitter.send(json.dumps({"rate": 10**6, "group": group, "seconds": events / 10**6}))
        emitter.read_json("emitted", 60)
        with serving(url) as (server, port):
            began, cpu = time.monotonic(), server.cpu_seconds()
            path = f"/sse/tasks/bench-0/events?{QUERY}"
            with LoadClient(port, path, STREAMS, reconnect=True, until_seq=events, sample=64) as herd:
                total = herd.read_json("total", 300)
            taken, cpu = time.monotonic() - began, server.cpu_seconds() - cpu
    if (total["min_id"], total["max_id"], total["gaps"], total["duplicates"]) != (events, events, 0, 0):
        raise RuntimeError(f"not every stream saw 1…{events} once in order: {total}")
    return Row(
        name=f"{count(STREAMS)} streams from the beginning of a log of {count(events)} events, until all have it",
        measured=f"{taken:.1f} s, {count(events * STREAMS / taken)} deliveries/s ({cpu:.1f} s of the server's core)",
        figures={"seconds": taken, "server_cpu_s": cpu, "total": total},
    )


def _memory() -> Row:
    few, many = 200, 2_200
    with temporary_store() as url, emitting(url), serving(url) as (server, port):
        path = f"/sse/tasks/bench-0/events?{QUERY}"
        with LoadClient(port, path, few) as first:
            first.wait_ready()
            time.sleep(1)
            before = server.rss_bytes()
            with LoadClient(port, path, many - few) as rest:
                rest.wait_ready()
                time.sleep(1)
                per_stream = (server.rss_bytes() - before) / (many - few)
    return Row(
        name=f"server memory per open idle stream ({count(few)} → {count(many)} streams)",
        measured=f"{per_stream / 1000:.1f} KB",
        target="under 32 KB",
        met=per_stream < 32_000,
        other_products="sse-starlette 51 KB; bare Quart 24 KB; nchan 10 KB",
        figures={"bytes_per_stream": per_stream, "rss_before": before},
    )


def _many_streams(scale: Scale) -> Row:
    streams = 5_000
    with signalbox(streams, sample=sample_for(streams * 10)) as session:
        measured = session.measure(10, 1, scale.seconds)
        total = session.finish()
    return Row(
        name=f"{count(streams)} streams in one process, each served 10 events/s, p50 / p99",
        measured=f"{p50_p99(measured.client)}, server at {measured.server_load:.0%} of its core",
        target="p99 under 500 ms",
        met=measured.client["p99_ms"] < P99_LIMIT_MS and total["connected"] == streams,
        figures=measured.figures(),
    )


def _fast_task(scale: Scale) -> Row:
    rate, viewers = 10_000, 20
    with signalbox(viewers, sample=8) as session:
        measured = session.measure(rate, 100, scale.seconds)
        session.finish()
    emitted = measured.emitted["emitted"] / measured.emitted["seconds"]
    return Row(
        name=f"{count(rate)} events/s into one task, {viewers} viewers: p99 lag",
        measured=f"{ms(measured.client['p99_ms'])} at {count(_delivered(measured) / viewers)} events/s each",
        target="under 1 s, all keep up",
        met=measured.client["p99_ms"] < 1000 and _delivered(measured) >= rate * viewers * MIN_SHARE,
        baseline=f"emitted {count(emitted)}/s",
        figures=measured.figures(),
    )

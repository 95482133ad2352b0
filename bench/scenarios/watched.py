"""Measure many tasks with one viewer each: CPU per page frame and per JSON event, latency, memory per watched task."""

from __future__ import annotations

from collections.abc import Iterator

from bench.scenarios import Scale
from bench.session import QUERY, signalbox
from bench.table import Row, count, p50_p99

TASKS = 1_000
PAGES = "/tasks/bench-{i}/stream?since=0"
JSON = f"/sse/tasks/bench-{{i}}/events?{QUERY}"
P99_LIMIT_MS = 100.0


def watched(scale: Scale) -> Iterator[Row]:
    """Yield rows for pages and for JSON streams, at 1 and at 5 events/s for each task."""
    for name, path, limit in (("page frame", PAGES, 150.0), ("JSON event", JSON, 60.0)):
        for rate in (1, 5):
            yield _row(name, path, limit, rate, scale)


def _row(name: str, path: str, limit: float, rate: int, scale: Scale) -> Row:
    # A frame may lead over several events, so a page's ids may have gaps.
    with signalbox(TASKS, tasks=TASKS, path=path) as session:
        idle = session.server.rss_bytes()
        # The first frame of a task is read from the store.
        session.measure(TASKS, 1, 1.0, mark=True)
        measured = session.measure(rate * TASKS, 1, scale.seconds, mark=True)
        total = session.client.finish()
    if total["duplicates"] or total["reordered"] or total["max_id"] < session.emitted // TASKS:
        raise RuntimeError(f"not every viewer saw all events in order: {total}")
    us = measured.server_cpu_s * 1e6 / max(1, int(measured.client["events"]))
    per_task = (measured.server_rss - idle) / TASKS
    return Row(
        name=f"CPU per {name}, {count(TASKS)} tasks with one viewer each, {rate} events/s each; p50 / p99",
        measured=f"{us:.0f} µs; {p50_p99(measured.client)} ({per_task / 1000:.0f} KB more memory per task)",
        target=f"under {limit:.0f} µs" + (f"; {P99_LIMIT_MS:.0f} ms" if rate == 5 else ""),
        met=us <= limit and (rate == 1 or measured.client["p99_ms"] < P99_LIMIT_MS),
        figures={**measured.figures(), "us": us, "bytes_per_task": per_task, "total": total},
    )

"""Measure that readers that stop reading do not slow the others, and do not increase the server's memory."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from statistics import median

from bench.load.client import LoadClient
from bench.scenarios import Scale
from bench.session import Measure, Session, emitting, sample_for, serving, temporary_store
from bench.table import Row, ms

STREAMS, STALLED = 1_000, 50
RATE = 100
HISTORY = 40_000  # About 12 MB per stream, more than the kernel's buffers hold, so a stalled stream blocks at once.
FLAT = 5_000_000
ALL = "since_seq=0&batch_size=100&flush_interval=0.1"


@dataclass(frozen=True)
class Round:
    """The same load without and with stalled readers, and the growth of the server's memory with them."""

    without: Measure
    with_stalled: Measure
    grown: int


def stalled(scale: Scale) -> Iterator[Row]:
    """Yield one row: p99 of the reading streams without and with 50 stalled ones among 1,000, and memory."""
    with temporary_store() as url, emitting(url) as emitter, serving(url) as (server, port):
        emitter.send(f'{{"rate": 100000, "group": {HISTORY // 20}, "seconds": {HISTORY / 100_000}}}')
        since = int(emitter.read_json("emitted")["emitted"])
        path = "/sse/tasks/bench-0/events?"
        new = f"{path}since_seq={since}&batch_size=100&flush_interval=0.1"
        sample = sample_for(STREAMS * RATE)
        with LoadClient(port, new, STREAMS - STALLED, since=since, sample=sample, reconnect=True) as client:
            client.wait_ready()
            session = Session(server, emitter, client, emitted=since)
            rounds = [_round(session, port, path + ALL, scale) for _ in range(scale.rounds)]
            session.finish()
    yield _row(rounds)


def _round(session: Session, port: int, path: str, scale: Scale) -> Round:
    without = session.measure(RATE, 1, scale.seconds)
    with LoadClient(port, path, STALLED, stalled=STALLED) as stuck:
        stuck.wait_ready()
        time.sleep(2)
        rss = session.server.rss_bytes()
        with_stalled = session.measure(RATE, 1, scale.seconds)
        grown = session.server.rss_bytes() - rss
        stuck.finish()
    return Round(without, with_stalled, grown)


def _row(rounds: list[Round]) -> Row:
    before = median(r.without.client["p99_ms"] for r in rounds)
    after = median(r.with_stalled.client["p99_ms"] for r in rounds)
    grown = max(r.grown for r in rounds)
    return Row(
        name=f"{STALLED} stalled readers among {STREAMS:,}, {RATE} events/s: p99 of the others, memory",
        measured=f"{ms(after)}, {after / before:.2f} × that without them; server {grown / 1e6:+.1f} MB",
        target="within 10 %; memory flat",
        met=after <= before * 1.1 and grown < FLAT,
        baseline=f"without them {ms(before)}",
        figures={
            "without": [r.without.figures() for r in rounds],
            "with": [r.with_stalled.figures() for r in rounds],
            "grown_bytes": [r.grown for r in rounds],
        },
    )

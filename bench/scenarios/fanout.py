"""Measure one task with many streams: CPU per event and per write, and latency."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from bench.scenarios import Scale
from bench.session import Measure, bare, sample_for, signalbox
from bench.table import Row, count, p50_p99

STREAMS = 1_000
BARE_GROUP = 20


def fanout(scale: Scale) -> Iterator[Row]:
    """Yield rows for 1,000 and 100 streams at 100 events/s, for the cost of a write, and for light load."""
    floor = _bare(STREAMS, 100, 1, scale)
    thousand = _signalbox(STREAMS, 100, scale)
    yield _per_event(thousand, STREAMS, floor, target=True)
    yield _per_event(_signalbox(100, 100, scale), 100, _bare(100, 100, 1, scale))
    yield _per_write(_signalbox(STREAMS, 20, scale), _bare(STREAMS, 20, 1, scale))
    if floor is not None:
        yield _floor(f"bare server, one event a write, 100 events/s × {count(STREAMS)} streams", floor)
    if grouped := _bare(STREAMS, 2_000, BARE_GROUP, scale):
        yield _floor(f"bare server, {BARE_GROUP} events a write, 2,000 events/s × {count(STREAMS)} streams", grouped)
    yield _light(_signalbox(100, 10, scale), _bare(100, 10, 1, scale))


def _signalbox(streams: int, rate: float, scale: Scale) -> Measure:
    with signalbox(streams, sample=sample_for(streams * rate)) as session:
        measured = session.measure(rate, 1, scale.seconds)
        session.finish()
    return measured


def _bare(streams: int, rate: float, group: int, scale: Scale) -> Measure | None:
    if not scale.baselines:
        return None
    with bare(streams, sample=sample_for(streams * rate)) as session:
        measured = session.measure(rate, group, scale.seconds)
        session.finish()
    return measured


def _per_event(measured: Measure, streams: int, floor: Measure | None, *, target: bool = False) -> Row:
    together = measured.client["events"] / max(1, measured.client["chunks"])
    return Row(
        name=f"CPU per delivered event, {count(streams)} streams on one task, 100 events/s; p99",
        measured=f"{measured.us_per_event:.2f} µs; {measured.client['p99_ms']:.0f} ms ({together:.1f} events a write)",
        target="under 1.5 µs; 150 ms" if target else "",
        met=measured.us_per_event < 1.5 and measured.client["p99_ms"] < 150 if target else None,
        other_products="sse-starlette 28 µs; nchan 11 µs; bare Quart 10 µs" if target else "",
        baseline=_with_baseline(measured.us_per_event, floor and floor.us_per_event),
        figures=_both(measured, floor),
    )


def _per_write(measured: Measure, floor: Measure | None) -> Row:
    together = measured.client["events"] / max(1, measured.client["chunks"])
    return Row(
        name=f"CPU per write to one stream, {count(STREAMS)} streams, 20 events/s",
        measured=f"{measured.us_per_write:.2f} µs ({together:.2f} events a write)",
        target="under 8 µs",
        met=measured.us_per_write < 8,
        other_products="Quart on uvicorn 10 µs; a bare loop 5 to 7.6 µs",
        baseline=_with_baseline(measured.us_per_write, floor and floor.us_per_write),
        figures=_both(measured, floor),
    )


def _floor(name: str, measured: Measure) -> Row:
    return Row(
        name=name,
        measured=f"{measured.us_per_write:.2f} µs a write, {measured.us_per_event:.2f} µs an event",
        other_products="4.6 to 7.6 µs an event; with 20 events a write 0.15 to 0.41 µs",
        figures=measured.figures(),
    )


def _light(measured: Measure, floor: Measure | None) -> Row:
    return Row(
        name="light load, 10 events/s × 100 streams, p50 / p99",
        measured=p50_p99(measured.client),
        target="3 / 10 ms",
        met=measured.client["p50_ms"] <= 3 and measured.client["p99_ms"] <= 10,
        other_products="a poll per stream 246 / 466 ms; nchan 1.3 / 4 ms; bare Quart 2.4 / 6.7 ms",
        baseline=f"bare server {p50_p99(floor.client)}" if floor else "",
        figures=_both(measured, floor),
    )


def _with_baseline(us: float, bare_us: float | None) -> str:
    return f"bare server {bare_us:.2f} µs: {us / bare_us:.2f} of it" if bare_us else ""


def _both(measured: Measure, floor: Measure | None) -> dict[str, Any]:
    return measured.figures() | ({"bare": floor.figures()} if floor else {})

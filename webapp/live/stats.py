"""Counters and distributions of the streams, for Prometheus."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from signalbox.webapp.live.distribution import Distribution

SECONDS = (0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0)
SIZES = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 5000)

COUNTERS = {
    "events_in": "Events that the tail has read.",
    "events_out": "Events written to streams.",
    "streams_opened": "Streams opened.",
    "streams_refused": "Streams refused because a limit was reached.",
    "ring_hits": "Chunks read from memory for a stream behind the head.",
    "catch_ups": "Chunks read from the store, or from the catch-up cache, for a stream behind the head.",
    "stalls_ended": "Streams ended because their reader had stalled.",
    "flushes_failed": "Flushes that failed and ended their streams; the clients reconnect.",
}


class Observer(Protocol):
    """Observes amounts, as a distribution does."""

    def observe(self, amount: float) -> None: ...


class Stats:
    """Counters and distributions of one app. Counters are plain numbers, because they are on the hot path."""

    def __init__(self) -> None:
        self.events_in = 0
        self.events_out = 0
        self.streams_opened = 0
        self.streams_refused = 0
        self.ring_hits = 0
        self.catch_ups = 0
        self.stalls_ended = 0
        self.flushes_failed = 0
        self.registry = CollectorRegistry()

        def distribution(name: str, text: str, bounds: tuple[float, ...]) -> Distribution:
            found = Distribution(f"signalbox_{name}", text, bounds)
            self.registry.register(found)
            return found

        self.flush_seconds: Observer = distribution("flush_seconds", "Duration of one flush of a lane.", SECONDS)
        self.flush_events = distribution("flush_events", "New events in one flush of a lane.", SIZES)
        self.wake_seconds: Observer = distribution(
            "wake_seconds", "Time from a wake of the tail to the delivery of its events.", SECONDS
        )
        self.registry.register(_Counters(self))


class _Counters(Collector):
    def __init__(self, stats: Stats) -> None:
        self._stats = stats

    def collect(self) -> Iterable[Metric]:
        """Yield one metric per counter."""
        for name, text in COUNTERS.items():
            yield CounterMetricFamily(f"signalbox_{name}", text, value=getattr(self._stats, name))


class Gauges(Collector):
    """Gauges that are read at each scrape: `name → (help, function)`."""

    def __init__(self, gauges: dict[str, tuple[str, Callable[[], float]]]) -> None:
        self._gauges = gauges

    def collect(self) -> Iterable[Metric]:
        """Yield one metric per gauge."""
        for name, (text, value) in self._gauges.items():
            yield GaugeMetricFamily(f"signalbox_{name}", text, value=value())

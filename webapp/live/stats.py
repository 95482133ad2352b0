"""What the live part counts, in Prometheus' terms."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from prometheus_client import CollectorRegistry, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

SECONDS = (0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0)
SIZES = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 5000)

COUNTERS = {
    "events_in": "Events that the tail has read.",
    "events_out": "Events written to streams.",
    "streams_opened": "Streams opened.",
    "streams_refused": "Streams refused because the cap was reached.",
    "ring_hits": "Chunks that a stream behind the head got from memory.",
    "catch_ups": "Chunks that a stream behind the head got from the store, or from what was read for another.",
    "stalls_ended": "Streams cut off because their reader took nothing.",
    "flushes_failed": "Flushes that raised; their streams were ended, and begin anew.",
}


class Stats:
    """Counters (plain numbers: they are on the hot path) and histograms of one app."""

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

        def histogram(name: str, text: str, buckets: tuple[float, ...]) -> Histogram:
            return Histogram(f"signalbox_{name}", text, buckets=buckets, registry=self.registry)

        self.flush_seconds = histogram("flush_seconds", "Duration of one flush of a lane.", SECONDS)
        self.flush_events = histogram("flush_events", "New events in one flush of a lane.", SIZES)
        self.wake_seconds = histogram("wake_seconds", "From a wake to its events being handed on.", SECONDS)
        self.registry.register(_Counters(self))


class _Counters(Collector):
    def __init__(self, stats: Stats) -> None:
        self._stats = stats

    def collect(self) -> Iterable[Metric]:
        """One counter each."""
        for name, text in COUNTERS.items():
            yield CounterMetricFamily(f"signalbox_{name}", text, value=getattr(self._stats, name))


class Gauges(Collector):
    """Values read at the moment of the scrape: `name → (help, function)`."""

    def __init__(self, gauges: dict[str, tuple[str, Callable[[], float]]]) -> None:
        self._gauges = gauges

    def collect(self) -> Iterable[Metric]:
        """One gauge each."""
        for name, (text, value) in self._gauges.items():
            yield GaugeMetricFamily(f"signalbox_{name}", text, value=value())

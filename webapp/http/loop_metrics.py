"""Reports the background loops in health and in metrics."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from signalbox.store.loops import Loops
from signalbox.webapp.http.health import Problem


def loop_problems(loops: Loops) -> list[Problem]:
    """Return one problem for each loop whose last run failed."""
    return [
        Problem(f"loop_{loop.name}", f"the background loop {loop.name} fails and is retried; see the log")
        for loop in loops
        if loop.last_error is not None
    ]


class LoopMetrics(Collector):
    """The metrics `signalbox_loop_failures_total{loop=…}` and `signalbox_loop_failing{loop=…}`."""

    def __init__(self, loops: Loops) -> None:
        self._loops = loops

    def collect(self) -> Iterable[Metric]:
        """Yield a counter and a gauge per loop."""
        failures = CounterMetricFamily("signalbox_loop_failures", "Runs of a loop that failed.", labels=["loop"])
        failing = GaugeMetricFamily("signalbox_loop_failing", "1 while a loop fails.", labels=["loop"])
        for loop in self._loops:
            failures.add_metric([loop.name], loop.failures)
            failing.add_metric([loop.name], float(loop.last_error is not None))
        yield failures
        yield failing

"""The process that answers a request, and the workers beside it. Health and metrics show them."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterable
from typing import cast

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from quart import current_app

from signalbox.store.events import new_id
from signalbox.webapp import __version__


class ProcessInfo:
    """A server process. `id` is new at each start. `worker` is its number, or 0 without `--workers`.

    `workers` is the number of ready workers of the same server, and `restarts` counts those that were replaced because
    they ended on their own. A worker learns both from its parent. While `draining`, the process stops: it answers what
    it gets, but proxies should send it nothing new. `metrics_of_others` returns the metrics of the other workers, by
    their numbers; without workers it is None.
    """

    def __init__(self, worker: int = 0) -> None:
        self.id = new_id()
        self.worker = worker
        self.workers = 1
        self.restarts = 0
        self.draining = False
        self.metrics: Callable[[], str] = str
        self.metrics_of_others: Callable[[], Awaitable[dict[int, str]]] | None = None
        self._started = time.monotonic()

    @property
    def age(self) -> float:
        """The seconds since the start."""
        return time.monotonic() - self._started


def process_info() -> ProcessInfo:
    """Return the process that serves this app."""
    return cast(ProcessInfo, current_app.extensions["process_info"])


class ProcessMetrics(Collector):
    """The metrics `signalbox_process_info`, `signalbox_workers` and `signalbox_worker_restarts_total`."""

    def __init__(self, process: ProcessInfo) -> None:
        self._process = process

    def collect(self) -> Iterable[Metric]:
        """Yield a gauge that names the process, and the numbers of its server."""
        labels = {"process": self._process.id, "worker": str(self._process.worker), "version": __version__}
        info = GaugeMetricFamily(
            "signalbox_process_info", "1; the labels say which process answers.", labels=list(labels)
        )
        info.add_metric(list(labels.values()), 1)
        yield info
        yield GaugeMetricFamily("signalbox_workers", "Workers that are ready.", value=self._process.workers)
        restarts = "Workers that ended on their own and were replaced."
        yield CounterMetricFamily("signalbox_worker_restarts", restarts, value=self._process.restarts)

"""`/metrics`: the metrics of the server for Prometheus."""

from __future__ import annotations

from typing import cast

from prometheus_client import generate_latest
from quart import Blueprint, Quart, Response

from signalbox.store import Store
from signalbox.webapp.auth.access import needs
from signalbox.webapp.http.endpoint import endpoint
from signalbox.webapp.http.health import Health, ProblemMetrics
from signalbox.webapp.http.merged_metrics import merged
from signalbox.webapp.http.process_info import ProcessInfo, process_info
from signalbox.webapp.live.hub import Hub
from signalbox.webapp.live.stats import Gauges, Stats

blueprint = Blueprint("metrics", __name__)

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def watch(app: Quart) -> None:
    """Register the gauges that each scrape reads from the hub and the store. Call it once both are open."""
    hub, store = cast(Hub, app.extensions["hub"]), cast(Store, app.extensions["store"])
    gauges = {
        "streams": ("Streams open now.", lambda: hub.open_streams),
        "watched_tasks": ("Tasks with at least one subscriber.", lambda: hub.watched_tasks),
        "lag_events_p99": ("Events that streams are behind, 99th percentile.", hub.lanes.lag_p99),
        "store_healthy": ("1 while the store answers.", lambda: float(app.extensions["tail"].healthy)),
        "append_queue": ("Appends that wait for a transaction.", lambda: store.stats().waiting),
        "supervising": (
            "1 while this process supervises the runs.",
            lambda: float("supervisor" in app.extensions and app.extensions["supervisor"].active),
        ),
        "requests_over_quota": (
            "Requests of tokens that had used up their quota.",
            lambda: app.extensions["quotas"].refused,
        ),
        "cold_tasks": ("Tasks in cold storage.", lambda: _of_cold_moves(app, "tasks")),
        "cold_bytes": ("Size of the files of cold storage in bytes.", lambda: _of_cold_moves(app, "bytes")),
        "cold_moves_unfinished": (
            "Tasks on their way to cold storage or back.",
            lambda: _of_cold_moves(app, "unfinished"),
        ),
        "cold_moved": (
            "Tasks that this process moved to cold storage.",
            lambda: app.extensions["cold_moves"].moved if "cold_moves" in app.extensions else 0,
        ),
        "cold_failures": (
            "Failed moves to cold storage in this process.",
            lambda: app.extensions["cold_moves"].failures if "cold_moves" in app.extensions else 0,
        ),
        "cold_files_missing": (
            "Files of cold storage that are missing.",
            lambda: app.extensions["cold_moves"].missing if "cold_moves" in app.extensions else 0,
        ),
        "search_index_on": (
            "1 while searches over all runs use the index.",
            lambda: float(app.extensions["search_index"].used) if "search_index" in app.extensions else 0.0,
        ),
        "search_index_behind": (
            "Events that are not in the search index yet.",
            lambda: app.extensions["search_index"].behind if "search_index" in app.extensions else 0,
        ),
        "commits": ("Transactions committed by this process.", lambda: store.stats().commits),
    }
    registry = cast(Stats, app.extensions["stats"]).registry
    registry.register(Gauges(gauges))
    registry.register(ProblemMetrics(cast(Health, app.extensions["health"])))
    cast(ProcessInfo, app.extensions["process_info"]).metrics = lambda: generate_latest(registry).decode()


def _of_cold_moves(app: Quart, name: str) -> float:
    """Return a count of the tasks in cold storage, as of the last turn of the loop that moves tasks."""
    return float(getattr(app.extensions["cold_moves"].counts, name)) if "cold_moves" in app.extensions else 0.0


@blueprint.get("/metrics")
@needs("read", everywhere=True)
@endpoint("Read the metrics, in the text format of Prometheus.", media_type=CONTENT_TYPE)
async def metrics() -> Response:
    """With several workers, one response has the metrics of all, each with the label `worker`."""
    process = process_info()
    text = process.metrics()
    if process.metrics_of_others is not None:
        text = merged({**await process.metrics_of_others(), process.worker: text})
    return Response(text, content_type=CONTENT_TYPE)

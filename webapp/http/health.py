"""Health: the one place that collects what is wrong with this server right now.

Whatever can be in trouble is watched once, when it is made: `app.extensions["health"].watch(source)`. The health routes
and the metrics show what all sources report.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Any, Literal, TypeVar, cast

import msgspec
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from quart import current_app

from signalbox.store import Store, StoreError
from signalbox.webapp import __version__
from signalbox.webapp.http.endpoint import Result

PATIENCE = 2.0
"""Seconds that a health check waits for the store."""

RETRY_AFTER = 5
"""Seconds after which an unhealthy server may be asked again."""


class Problem(msgspec.Struct, frozen=True):
    """Something that is wrong. Strangers may read it: the message names no file, no task and no person."""

    code: str
    message: str


ProblemSource = Callable[[], Iterable[Problem]]
"""Returns what is wrong now. It must not wait."""


class Health:
    """The problems of one app, from all sources that are watched."""

    def __init__(self) -> None:
        self._sources: list[ProblemSource] = []

    def watch(self, source: ProblemSource) -> None:
        """Ask `source` too, from now on."""
        self._sources.append(source)

    def problems(self) -> list[Problem]:
        """What is wrong now, each code once, in the order of the sources."""
        found: dict[str, Problem] = {}
        for source in self._sources:
            for problem in source():
                found.setdefault(problem.code, problem)
        return list(found.values())


class ProblemMetrics(Collector):
    """`signalbox_healthy`, and `signalbox_problem{code=…}` for each problem there is."""

    def __init__(self, health: Health) -> None:
        self._health = health

    def collect(self) -> Iterable[Metric]:
        """One gauge for all, and one for each problem."""
        problems = self._health.problems()
        yield GaugeMetricFamily("signalbox_healthy", "1 while nothing is wrong.", value=float(not problems))
        each = GaugeMetricFamily("signalbox_problem", "1 for each problem there is, by its code.", labels=["code"])
        for problem in problems:
            each.add_metric([problem.code], 1)
        yield each


def health() -> Health:
    """The health of this app."""
    return cast(Health, current_app.extensions["health"])


def problems() -> list[Problem]:
    """What is wrong with this server now."""
    return health().problems()


async def store_problem(store: Store) -> Problem | None:
    """Why the store cannot be read, or None. It takes at most `PATIENCE` seconds."""
    try:
        async with asyncio.timeout(PATIENCE), store.glance() as view:
            await view.latest_event_id()
    except (StoreError, TimeoutError):
        return Problem("store_unavailable", "the store does not answer")
    return None


class HealthReport(msgspec.Struct, kw_only=True):
    """How a server is. `status` is `unhealthy` while there are `problems`."""

    status: Literal["ok", "unhealthy"]
    service: str
    version: str
    problems: list[Problem]


R = TypeVar("R", bound=HealthReport)


def health_result(kind: type[R], service: str, found: list[Problem], **more: Any) -> Result[R]:
    """How this server is: 200, or 503 while there are problems. `more` are the other fields of `kind`."""
    status: Literal["ok", "unhealthy"] = "unhealthy" if found else "ok"
    report = kind(status=status, service=service, version=__version__, problems=found, **more)
    return Result(report, status=503 if found else 200, retry_after=RETRY_AFTER if found else None)

"""Health: collects the current problems of this server.

Each part that can have problems registers a source when it is created: `app.extensions["health"].watch(source)`. The
health routes and the metrics report the problems of all sources.
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

CHECK_TIMEOUT_S = 2.0
"""Seconds that a health check waits for the store."""

RETRY_AFTER = 5
"""Seconds in the `Retry-After` of an unhealthy server."""


class Problem(msgspec.Struct, frozen=True):
    """A problem. The message is public, so it names no file, task or person."""

    code: str
    message: str


ProblemSource = Callable[[], Iterable[Problem]]
"""Returns the current problems. It must not block."""


class Health:
    """The sources of problems of one app."""

    def __init__(self) -> None:
        self._sources: list[ProblemSource] = []
        self._warning_sources: list[ProblemSource] = []

    def watch(self, source: ProblemSource) -> None:
        """Add a source of problems."""
        self._sources.append(source)

    def warn(self, source: ProblemSource) -> None:
        """Add a source of warnings. A server with warnings is healthy: it serves everything, perhaps later."""
        self._warning_sources.append(source)

    def problems(self) -> list[Problem]:
        """Return the current problems, each code once, in the order of the sources."""
        return _each_once(self._sources)

    def warnings(self) -> list[Problem]:
        """Return the current warnings, each code once, in the order of the sources."""
        return _each_once(self._warning_sources)


def _each_once(sources: Iterable[ProblemSource]) -> list[Problem]:
    found: dict[str, Problem] = {}
    for source in sources:
        for problem in source():
            found.setdefault(problem.code, problem)
    return list(found.values())


class ProblemMetrics(Collector):
    """The metrics `signalbox_healthy`, and `signalbox_problem{code=…}` and `signalbox_warning{code=…}` for each current
    problem and warning."""

    def __init__(self, health: Health) -> None:
        self._health = health

    def collect(self) -> Iterable[Metric]:
        """Yield a gauge for the server, and one per problem."""
        problems = self._health.problems()
        yield GaugeMetricFamily("signalbox_healthy", "1 while there are no problems.", value=float(not problems))
        each = GaugeMetricFamily("signalbox_problem", "1 for each current problem, by its code.", labels=["code"])
        warnings = GaugeMetricFamily("signalbox_warning", "1 for each current warning, by its code.", labels=["code"])
        for family, found in ((each, problems), (warnings, self._health.warnings())):
            for problem in found:
                family.add_metric([problem.code], 1)
            yield family


def health() -> Health:
    """Return the health of this app."""
    return cast(Health, current_app.extensions["health"])


def problems() -> list[Problem]:
    """Return the current problems of this server."""
    return health().problems()


async def store_problem(store: Store) -> Problem | None:
    """Return why the store cannot be read within `CHECK_TIMEOUT_S` seconds, or None if it can."""
    try:
        async with asyncio.timeout(CHECK_TIMEOUT_S), store.glance() as view:
            await view.latest_event_id()
    except (StoreError, TimeoutError):
        known = store.problems
        return Problem(*known[0]) if known else Problem("store_unavailable", "the store does not answer")
    return None


class HealthReport(msgspec.Struct, kw_only=True):
    """The health of a server. `status` is `unhealthy` while there are `problems`.

    `warnings` are faults that delay events and do nothing worse, such as a bus that cannot be reached.
    """

    status: Literal["ok", "unhealthy"]
    service: str
    version: str
    problems: list[Problem]
    warnings: list[Problem] = []


R = TypeVar("R", bound=HealthReport)


def health_result(kind: type[R], service: str, found: list[Problem], **more: Any) -> Result[R]:
    """Return the health of this server, with status 503 while it has problems. `more` are further fields of `kind`."""
    status: Literal["ok", "unhealthy"] = "unhealthy" if found else "ok"
    warnings = health().warnings()
    report = kind(status=status, service=service, version=__version__, problems=found, warnings=warnings, **more)
    return Result(report, status=503 if found else 200, retry_after=RETRY_AFTER if found else None)

"""`/healthz` and `/readyz`: the probes of proxies, orchestrators and service managers."""

from __future__ import annotations

from typing import Literal, cast

import msgspec
from quart import Blueprint, current_app

from signalbox.store import Store
from signalbox.webapp import __version__
from signalbox.webapp.auth.access import public
from signalbox.webapp.http.endpoint import Result, endpoint
from signalbox.webapp.http.health import HealthReport, Problem, health, health_result, store_problem
from signalbox.webapp.http.process_info import process_info

blueprint = Blueprint("probes", __name__)

SERVICE = "signalbox"

BUS_GRACE = 10.0
"""For so many seconds after its start, a process without its bus is not ready. Later it is ready, because it polls."""


class Alive(msgspec.Struct, kw_only=True):
    """The answer of a running process. `process` is new at each start. `worker` is 0 without `--workers`."""

    status: Literal["ok"]
    service: str
    version: str
    process: str
    worker: int


class Readiness(HealthReport, kw_only=True):
    """Whether a process can serve. `problems` has the reasons why it cannot."""

    process: str
    worker: int


@blueprint.get("/healthz")
@public
@endpoint("Check that the process runs. It reads nothing from the store.")
async def alive() -> Alive:
    process = process_info()
    return Alive(status="ok", service=SERVICE, version=__version__, process=process.id, worker=process.worker)


@blueprint.get("/readyz")
@public
@endpoint("Check that the process can serve: the store answers, and the process is not about to stop.", also=(503,))
async def ready() -> Result[Readiness]:
    process = process_info()
    return health_result(Readiness, SERVICE, await _reasons_not_to_serve(), process=process.id, worker=process.worker)


async def _reasons_not_to_serve() -> list[Problem]:
    process, found = process_info(), []
    if process.draining:
        found.append(Problem("draining", "the server is about to stop"))
    # The store is open and migrated before the first request. Only its answer can be missing.
    if unreadable := await store_problem(cast(Store, current_app.extensions["store"])):
        found.append(unreadable)
    if process.age < BUS_GRACE:
        found += [warning for warning in health().warnings() if warning.code == "bus_unavailable"]
    return found

"""`/api/kinds`: the kinds of tasks, with the statistics of their newest runs."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta
from quart import Blueprint

from signalbox.store import NotFound
from signalbox.store.model_calls import Usage
from signalbox.store.state import Status
from signalbox.webapp.api.tasks import TaskResponse, to_response
from signalbox.webapp.auth.access import needs
from signalbox.webapp.auth.guard import visible_projects
from signalbox.webapp.current import store
from signalbox.webapp.http.endpoint import Result, endpoint
from signalbox.webapp.http.root_path import next_page
from signalbox.webapp.views.kind import kind_query, kind_view
from signalbox.webapp.views.kinds import kinds_view
from signalbox.webapp.views.list_query import KindFilters, KindsPage, tag_pairs
from signalbox.webapp.views.run_statistics import Statistics

blueprint = Blueprint("api_kinds", __name__, url_prefix="/api/kinds")


class KindsParameters(KindsPage, frozen=True, kw_only=True):
    """Which kinds to read."""

    limit: Annotated[int, Meta(ge=1, le=100, description="The maximum number of items.")] = 50


class StatisticsResponse(msgspec.Struct, kw_only=True):
    """Statistics of the newest runs of a kind, at most 50: `runs` of them, of which `failed` failed.

    `failure_rate` is the share of failed and interrupted runs among those that were not cancelled, 0 to 1. `p50` and
    `p95` are percentiles of the durations of successful runs, in seconds.
    """

    runs: int
    failed: int
    failure_rate: float | None
    p50: float | None
    p95: float | None


class RunResponse(msgspec.Struct, kw_only=True):
    """A run in short. `duration` is in seconds, null until the run has ended."""

    task_id: str
    title: str | None
    status: Status
    created_at: str
    duration: float | None


class KindSummary(StatisticsResponse, kw_only=True):
    """A kind. `latest` are its newest ten runs, the newest first."""

    kind: str
    latest: list[RunResponse]


class CommonErrorResponse(msgspec.Struct, kw_only=True):
    """An error that `runs` of the runs had. `text` is the error of the newest of them, `latest_task_id`."""

    text: str
    runs: int
    latest_task_id: str


class KindResponse(StatisticsResponse, kw_only=True):
    """A kind with its newest runs, the newest first, its most common errors, and the usage of all these runs."""

    kind: str
    errors: list[CommonErrorResponse]
    usage: Usage | None
    last_successful_task_id: str | None
    has_more: bool
    tasks: list[TaskResponse]


@blueprint.get("")
@needs("read")
@endpoint("List the kinds of tasks, by name.", pages=True)
async def index(query: KindsParameters) -> Result[list[KindSummary]]:
    async with store().read() as view:
        page = await kinds_view(view, visible_projects(), query.after, query.limit)
    found = [
        KindSummary(
            kind=line.kind,
            latest=[msgspec.convert(run, RunResponse, from_attributes=True) for run in reversed(line.newest)],
            **_statistics(line.statistics),
        )
        for line in page.lines
    ]
    return Result(found, next=next_page(after=page.more, limit=query.limit) if page.more is not None else None)


@blueprint.get("/<name:kind>")
@needs("read")
@endpoint("Read the newest runs of a kind with their statistics.", raises=(NotFound,))
async def show(kind: str, query: KindFilters) -> KindResponse:
    """At most 50 runs are read. Archived runs count too."""
    wanted = kind_query(kind, visible_projects(), query.project or None, tag_pairs(query.tag))
    async with store().read() as view:
        seen = await kind_view(view, wanted)
    if not seen.exists:
        raise NotFound(f"there is no run of the kind {kind!r}")
    return KindResponse(
        kind=kind,
        errors=[
            CommonErrorResponse(text=error.text, runs=error.runs, latest_task_id=error.newest.task_id)
            for error in seen.errors
        ],
        usage=seen.usage,
        last_successful_task_id=seen.last_success.task_id if seen.last_success else None,
        has_more=seen.more,
        tasks=[to_response(run.task) for run in seen.runs],
        **_statistics(seen.statistics),
    )


def _statistics(found: Statistics) -> dict[str, Any]:
    return {name: getattr(found, name) for name in StatisticsResponse.__struct_fields__}

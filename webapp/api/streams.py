"""`/sse/…`: streams of events for programs."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, UnsetType
from quart import Blueprint, Response, current_app

from signalbox.webapp.api.parameters import Resume
from signalbox.webapp.auth.access import needs, public
from signalbox.webapp.auth.guard import check_task, principal
from signalbox.webapp.current import hub, store
from signalbox.webapp.http.endpoint import EVENT_STREAM, Result, endpoint
from signalbox.webapp.http.health import HealthReport, health_result, problems
from signalbox.webapp.http.refusals import TooManyStreams
from signalbox.webapp.live import sse
from signalbox.webapp.live.lane import Lane
from signalbox.webapp.live.lanes import Lanes
from signalbox.webapp.live.stream import message_stream, subscribe
from signalbox.webapp.settings import Settings

blueprint = Blueprint("streams", __name__, url_prefix="/sse")


class StreamParameters(Resume, frozen=True, kw_only=True):
    """Where a stream starts, and how long it may hold events to send them in one write."""

    batch_size: Annotated[
        int,
        Meta(ge=1, le=100, description="The maximum number of events in one write.", extra={"setting": "batch_size"}),
    ] = Settings.batch_size
    flush_interval: Annotated[
        float,
        Meta(
            ge=0.1,
            le=5,
            description="The maximum time, in seconds, that an event is held for the next write.",
            extra={"setting": "flush_interval"},
        ),
    ] = Settings.flush_interval


class StreamHealth(HealthReport, kw_only=True):
    """The state of the server's streams. Anonymous callers get only the fields of HealthReport and `protocol`.

    `streams` is the number of open streams of all processes on this store, and `processes` is the number of these. The
    other fields are about the process that answers: `tasks` is the number of tasks that its streams watch, and
    `lag_p99` the 99th percentile of the number of events that its streams are behind.
    """

    protocol: Literal["sse"] = "sse"
    streams: int | UnsetType = UNSET
    processes: int | UnsetType = UNSET
    tasks: int | UnsetType = UNSET
    lag_p99: float | UnsetType = UNSET
    store: Literal["ok", "unavailable"] | UnsetType = UNSET


@blueprint.get("/tasks/<task_id>/events")
@needs("read", query_token=True)
@endpoint("Follow the log of a task: stored events, then new ones.", media_type=EVENT_STREAM, raises=(TooManyStreams,))
async def task_events(task_id: str, query: StreamParameters) -> Response:
    """The `data` of each message is an Event, and its `id` is the seq."""
    cursor = query.cursor
    async with store().glance() as view:
        head = await view.head(task_id)
    check_task(task_id, head.identity)
    if cursor > head.latest_seq or 0 < cursor < head.earliest_seq - 1:
        # The log does not have this cursor: the database was restored, or the events were archived.
        return message_stream(sse.reset({"latest_seq": head.latest_seq, "earliest_seq": head.earliest_seq}))

    def lane(lanes: Lanes) -> Lane:
        return lanes.event_lane(task_id, sse.json_event, query.batch_size, query.flush_interval, identity=head.identity)

    return subscribe(hub(), lane, cursor)


@blueprint.get("/health")
@public
@endpoint("Check whether streams are served, and count them.", also=(503,))
async def health() -> Result[StreamHealth]:
    details: dict[str, Any] = {}
    if (await principal()).known:
        details |= {
            "streams": hub().streams_everywhere,
            "processes": hub().other_processes.number + 1,
            "tasks": hub().watched_tasks,
            "lag_p99": hub().lanes.lag_p99(),
            "store": "ok" if current_app.extensions["tail"].healthy else "unavailable",
        }
    return health_result(StreamHealth, "task_events_sse", problems(), **details)

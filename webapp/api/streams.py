"""`/sse/…`: the log for programs, live."""

from __future__ import annotations

from typing import Any

from quart import Blueprint, Response, current_app

from signalbox.webapp.auth.access import needs, public
from signalbox.webapp.auth.guard import principal
from signalbox.webapp.current import hub, settings, store
from signalbox.webapp.http.health import health_response, problems
from signalbox.webapp.http.params import number, since_seq, whole
from signalbox.webapp.live import sse
from signalbox.webapp.live.lane import Lane
from signalbox.webapp.live.lanes import Lanes
from signalbox.webapp.live.stream import closing, subscribe

blueprint = Blueprint("streams", __name__, url_prefix="/sse")


@blueprint.get("/tasks/<task_id>/events")
@needs("read", query_token=True)
async def task_events(task_id: str) -> Response:
    cursor = since_seq()
    batch_size = whole("batch_size", settings().batch_size, 1, 100)
    flush_interval = number("flush_interval", settings().flush_interval, 0.1, 5)
    async with store().glance() as view:
        head = await view.head(task_id)
    if cursor > head.latest_seq or 0 < cursor < head.earliest_seq - 1:
        # A cursor of another history: the database was restored, or what it stood at is archived.
        return closing(sse.reset({"latest_seq": head.latest_seq, "earliest_seq": head.earliest_seq}))

    def lane(lanes: Lanes) -> Lane:
        return lanes.event_lane(task_id, sse.json_event, batch_size, flush_interval, identity=head.identity)

    return subscribe(hub(), lane, cursor)


@blueprint.get("/health")
@public
async def health() -> Response:
    details: dict[str, Any] = {"protocol": "sse"}
    if (await principal()).known:
        details |= {
            "streams": hub().open_streams,
            "tasks": hub().watched_tasks,
            "lag_p99": hub().lanes.lag_p99(),
            "store": "ok" if current_app.extensions["tail"].healthy else "unavailable",
        }
    return health_response("task_events_sse", problems(), **details)

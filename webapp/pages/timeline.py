"""The timeline page: the history of a run in sentences, and a forecast."""

from __future__ import annotations

from quart import Blueprint, Response

from signalbox.webapp.auth.access import needs
from signalbox.webapp.drawing import ids
from signalbox.webapp.pages.live_page import LivePage, page_response
from signalbox.webapp.views.forecast import Earlier
from signalbox.webapp.views.timeline import story_view, timeline_view

blueprint = Blueprint("timeline", __name__)

PARTS = {ids.STAND: "_status_line.html", ids.STORY: "timeline/_phases.html"}


@blueprint.get("/tasks/<task_id>/timeline")
@needs("read")
async def show(task_id: str) -> Response:
    earlier = Earlier()
    page = LivePage(
        "timeline/show.html",
        PARTS,
        lambda view: timeline_view(view, task_id, earlier),
        read_as_of=lambda view: story_view(view, task_id),
    )
    return await page_response(task_id, page)

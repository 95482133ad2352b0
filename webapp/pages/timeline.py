"""The timeline page: what happened so far, in sentences, and what is expected next."""

from __future__ import annotations

from quart import Blueprint, Response

from webapp import ids
from webapp.auth.access import needs
from webapp.forecast import Earlier
from webapp.pages.living import LivingPage, answer
from webapp.timeline import story_view, timeline_view

blueprint = Blueprint("timeline", __name__)

PARTS = {ids.STAND: "_stand.html", ids.STORY: "timeline/_story.html"}


@blueprint.get("/tasks/<task_id>/timeline")
@needs("read")
async def show(task_id: str) -> Response:
    earlier = Earlier()
    page = LivingPage(
        "timeline/show.html",
        PARTS,
        lambda view: timeline_view(view, task_id, earlier),
        past=lambda view: story_view(view, task_id),
    )
    return await answer(task_id, page)

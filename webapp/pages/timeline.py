"""The timeline page: what happened so far, in sentences, and what is expected next."""

from __future__ import annotations

from quart import Blueprint, Response

from store.events import now
from webapp.api import store
from webapp.pages.tasks import fragments, html, layout
from webapp.timeline import timeline_view

blueprint = Blueprint("timeline", __name__)


@blueprint.get("/tasks/<task_id>/timeline")
async def show(task_id: str) -> Response:
    async with store().read() as view:
        seen = await timeline_view(view, task_id)
    page = await layout()
    return html(fragments().plain_page("timeline/show.html", page, view=seen, path=f"/tasks/{task_id}", now=now()))

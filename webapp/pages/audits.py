"""The audits: what people did, the newest first."""

from __future__ import annotations

from quart import Blueprint, Response

from webapp.api import store
from webapp.auth.access import needs
from webapp.auth.guard import seen_projects
from webapp.inbox import audits_view
from webapp.pages.tasks import fragments, html, layout
from webapp.params import MAX_SEQ, whole

blueprint = Blueprint("audits", __name__)


@blueprint.get("/audits", defaults={"task_id": None})
@blueprint.get("/tasks/<task_id>/audits")
@needs("read")
async def index(task_id: str | None) -> Response:
    before = whole("before", 0, 1, MAX_SEQ) or None
    async with store().read() as view:
        seen = await audits_view(view, task_id, before=before, projects=seen_projects())
    return html(fragments().plain_page("audits/index.html", await layout(), view=seen))

"""The page of the audits: actions of people, newest first."""

from __future__ import annotations

from contextlib import suppress

from quart import Blueprint, Response

from signalbox.store import UnknownTask
from signalbox.webapp.auth.access import needs
from signalbox.webapp.auth.guard import require, visible_projects
from signalbox.webapp.current import fragments, store
from signalbox.webapp.http.params import MAX_SEQ, int_parameter
from signalbox.webapp.pages.responses import html, layout
from signalbox.webapp.views.permissions import audits_view

blueprint = Blueprint("audits", __name__)


@blueprint.get("/audits", defaults={"task_id": None})
@blueprint.get("/tasks/<task_id>/audits")
@needs("read", task="")
async def index(task_id: str | None) -> Response:
    if task_id is not None:
        # The audits of a deleted task stay, visible to members of its project.
        with suppress(UnknownTask):
            await require("read", task_id)
    before = int_parameter("before", 0, 1, MAX_SEQ) or None
    async with store().read() as view:
        seen = await audits_view(view, task_id, before=before, projects=visible_projects())
    return html(fragments().plain_page("audits/index.html", await layout(), place="audits", view=seen))

"""Two runs side by side, and the form that asks which."""

from __future__ import annotations

from quart import Blueprint, Response, request

from webapp.api import store
from webapp.auth.access import needs
from webapp.auth.guard import require, seen_projects
from webapp.comparison import choice_view, comparison_view
from webapp.pages.tasks import fragments, html, layout
from webapp.words import about

blueprint = Blueprint("compare", __name__)


@blueprint.get("/compare")
@needs("read")
async def show() -> Response:
    a, b = (request.args.get(name, "").strip() for name in ("a", "b"))
    for task_id in filter(None, (a, b)):
        await require("read", task_id)
    only_parted = request.args.get("show") == "parted"
    async with store().read() as view:
        if a and b:
            seen = await comparison_view(view, a, b, only_parted=only_parted)
        else:
            choice = await choice_view(view, a or b, seen_projects())
    page = await layout()
    if a and b:
        return html(fragments().plain_page("compare/show.html", page, view=seen, about=about))
    return html(fragments().plain_page("compare/choose.html", page, choice=choice))

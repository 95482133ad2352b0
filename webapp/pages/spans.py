"""The spans of a task: as a table, as a waterfall, and one by one."""

from __future__ import annotations

from quart import Blueprint, Response, request

from webapp.api import store
from webapp.bad_request import BadRequest
from webapp.contexts import spans_view
from webapp.pages.tasks import fragments, html, layout
from webapp.params import MAX_SEQ, whole
from webapp.spanpage import span_view
from webapp.waterfall import waterfall_view

blueprint = Blueprint("spans", __name__)


@blueprint.get("/tasks/<task_id>/spans")
async def index(task_id: str) -> Response:
    async with store().read() as view:
        seen = await spans_view(view, task_id, after=whole("after", 0, 0, MAX_SEQ))
    return html(fragments().spans_page(seen, **await layout()))


@blueprint.get("/tasks/<task_id>/spans/<path:span_id>")
async def show(task_id: str, span_id: str) -> Response:
    async with store().read() as view:
        seen = await span_view(view, task_id, span_id, after=whole("after", 0, 0, MAX_SEQ))
    return html(fragments().span_page(seen, **await layout()))


@blueprint.get("/tasks/<task_id>/waterfall")
async def waterfall(task_id: str) -> Response:
    gaps = request.args.get("gaps", "folded")
    if gaps not in ("folded", "open"):
        raise BadRequest(f"gaps must be folded or open, not {gaps[:40]!r}", "gaps")
    async with store().read() as view:
        seen = await waterfall_view(view, task_id, after=whole("after", 0, 0, MAX_SEQ), folded=gaps == "folded")
    page = await layout()
    return html(fragments().plain_page("waterfall/show.html", page, view=seen, path=f"/tasks/{task_id}"))

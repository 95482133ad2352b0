"""The spans of a task: as a table, as a waterfall, and one by one."""

from __future__ import annotations

from quart import Blueprint, Response, request

from webapp.api import store
from webapp.api.streams import hub
from webapp.bad_request import BadRequest
from webapp.contexts import spans_view
from webapp.live.frames import waterfall_frames
from webapp.live.pace import Pace
from webapp.live.stream import subscribe
from webapp.pages.tasks import cursor_of_stream, fragments, html, layout, other_history, reset
from webapp.params import MAX_SEQ, whole
from webapp.spanpage import span_view
from webapp.waterfall import waterfall_view

blueprint = Blueprint("spans", __name__)

SLOWEST = 2.0
"""Seconds between two drawings of a waterfall that is costly to draw, however much happens: each one is whole."""


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
    folded, after = fold_gaps(), whole("after", 0, 0, MAX_SEQ)
    async with store().read() as view:
        seen = await waterfall_view(view, task_id, after=after, folded=folded)
    return html(fragments().waterfall_page(seen, **await layout()))


@blueprint.get("/tasks/<task_id>/waterfall/stream")
async def waterfall_stream(task_id: str) -> Response:
    folded, after, cursor = fold_gaps(), whole("after", 0, 0, MAX_SEQ), cursor_of_stream()
    async with store().read() as view:
        head = await view.head(task_id)
    if other_history(head.latest_seq, cursor):
        return reset(head.latest_seq)
    streams, render = hub(), waterfall_frames(store(), fragments(), task_id, after, folded)
    key, pace = ("waterfall", after, folded), Pace(SLOWEST, batch_size=MAX_SEQ)
    return subscribe(streams, lambda: streams.frame_lane(task_id, render, key, pace), cursor)


def fold_gaps() -> bool:
    """Whether idle gaps are to be folded. Raises BadRequest."""
    gaps = request.args.get("gaps", "folded")
    if gaps not in ("folded", "open"):
        raise BadRequest(f"gaps must be folded or open, not {gaps[:40]!r}", "gaps")
    return gaps == "folded"

"""The pages of spans: all as a table, as a waterfall and as a flame view, and each on its own."""

from __future__ import annotations

from quart import Blueprint, Response

from signalbox.store import TaskReading
from signalbox.webapp.auth.access import needs
from signalbox.webapp.drawing import ids
from signalbox.webapp.http.params import MAX_SEQ, int_parameter
from signalbox.webapp.pages.live_page import LivePage, page_response
from signalbox.webapp.pages.span_parameters import flame_query, table_query, waterfall_query
from signalbox.webapp.views.flame import FlameView, flame_view
from signalbox.webapp.views.span import SpanView, span_view
from signalbox.webapp.views.spans import SpansView, spans_view
from signalbox.webapp.views.waterfall import WaterfallView, waterfall_view

blueprint = Blueprint("spans", __name__)


@blueprint.get("/tasks/<task_id>/spans")
@needs("read")
async def index(task_id: str) -> Response:
    query = table_query()
    parts = {ids.STAND: "_status_line.html", ids.SPANS_TABLE: "spans/_table.html"}

    async def read(view: TaskReading) -> SpansView:
        return await spans_view(view, task_id, query)

    return await page_response(
        task_id, LivePage("spans/index.html", parts, read, read_as_of=read, parameters=query.parameters, in_thread=True)
    )


@blueprint.get("/tasks/<task_id>/spans/<name:span_id>", merge_slashes=False)
@needs("read")
async def show(task_id: str, span_id: str) -> Response:
    after = int_parameter("after", 0, 0, MAX_SEQ)
    parts = {ids.STAND: "_status_line.html", ids.SPAN: "spans/_span.html"}

    async def read(view: TaskReading) -> SpanView:
        return await span_view(view, task_id, span_id, after=after)

    page = LivePage(
        "spans/show.html",
        parts,
        read,
        read_as_of=read,
        first_seq=lambda view: view.span.started_seq,
        parameters=[("after", after or None)],
        in_thread=True,
    )
    return await page_response(task_id, page)


@blueprint.get("/tasks/<task_id>/waterfall")
@needs("read")
async def waterfall(task_id: str) -> Response:
    query = waterfall_query()

    async def read(view: TaskReading) -> WaterfallView:
        return await waterfall_view(view, task_id, query)

    parts = {ids.STAND: "_status_line.html", ids.WATERFALL: "waterfall/_panel.html"}
    return await page_response(
        task_id,
        LivePage("waterfall/show.html", parts, read, read_as_of=read, parameters=query.parameters, in_thread=True),
    )


@blueprint.get("/tasks/<task_id>/flame")
@needs("read")
async def flame(task_id: str) -> Response:
    query = flame_query()

    async def read(view: TaskReading) -> FlameView:
        return await flame_view(view, task_id, query)

    parts = {ids.STAND: "_status_line.html", ids.FLAME: "flame/_panel.html"}
    return await page_response(
        task_id, LivePage("flame/show.html", parts, read, read_as_of=read, parameters=query.parameters, in_thread=True)
    )

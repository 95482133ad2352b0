"""The pages of artifacts: all of a task, one with a preview, and its content."""

from __future__ import annotations

import asyncio

from quart import Blueprint, Response

from signalbox.store import TaskReading
from signalbox.webapp.auth.access import needs
from signalbox.webapp.current import fragments, store
from signalbox.webapp.drawing import ids
from signalbox.webapp.http.artifact_response import artifact_response
from signalbox.webapp.http.params import MAX_SEQ, flag_parameter, int_parameter
from signalbox.webapp.http.root_path import at_root
from signalbox.webapp.http.security import CONTENT_SECURITY_POLICY
from signalbox.webapp.pages.live_page import LivePage, page_response
from signalbox.webapp.pages.responses import html, layout
from signalbox.webapp.views.artifact import ArtifactsView, artifact_of, artifact_view, artifacts_view, with_report

blueprint = Blueprint("artifacts", __name__)

PARTS = {ids.ARTIFACT_LIST: "artifacts/_list.html"}


@blueprint.get("/tasks/<task_id>/artifacts")
@needs("read")
async def index(task_id: str) -> Response:
    before = int_parameter("before", 0, 1, MAX_SEQ) or None

    async def read(view: TaskReading) -> ArtifactsView:
        return await artifacts_view(view, task_id, before)

    page = LivePage("artifacts/index.html", PARTS, read, read_as_of=read, parameters=[("before", before)])
    return await page_response(task_id, page)


@blueprint.get(f"/tasks/<task_id>/artifacts/<int(max={MAX_SEQ}):seq>")
@needs("read")
async def show(task_id: str, seq: int) -> Response:
    async with store().read() as view:
        seen = await artifact_view(view, task_id, seq)
    frame, path = await layout(), at_root(f"/tasks/{task_id}")
    drawing = fragments()

    def drawn() -> str:
        shown = with_report(seen)
        return drawing.plain_page("artifacts/show.html", frame, view=shown, task=shown.task, path=path)

    # Reading a report and rendering a long text take a while, so a thread does it and streams are not delayed.
    page = await asyncio.to_thread(drawn)
    response = html(page)
    if seen.kind == "html":
        response.headers["Content-Security-Policy"] = f"{CONTENT_SECURITY_POLICY}; frame-src 'self'"
    return response


@blueprint.get(f"/tasks/<task_id>/artifacts/<int(max={MAX_SEQ}):seq>/raw")
@needs("read")
async def raw(task_id: str, seq: int) -> Response:
    async with store().read() as view:
        artifact = await artifact_of(view, task_id, seq)
        stored = await view.has_content(task_id, artifact.sha256)
    return await artifact_response(store(), task_id, artifact, stored, download=flag_parameter("download"))

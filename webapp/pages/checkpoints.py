"""The page of a checkpoint with its evidence, which other pages also show in a drawer."""

from __future__ import annotations

from quart import Blueprint, Response

from signalbox.store import TaskReading
from signalbox.webapp.auth.access import needs
from signalbox.webapp.drawing import ids
from signalbox.webapp.pages.live_page import LivePage, page_response
from signalbox.webapp.views.checkpoint import CheckpointView, checkpoint_view

blueprint = Blueprint("checkpoints", __name__)

PARTS = {ids.STAND: "_status_line.html", ids.CHECKPOINT: "checkpoints/_evidence.html"}


@blueprint.get("/tasks/<task_id>/checkpoints/<name:checkpoint_id>", merge_slashes=False)
@needs("read")
async def show(task_id: str, checkpoint_id: str) -> Response:
    async def read(view: TaskReading) -> CheckpointView:
        return await checkpoint_view(view, task_id, checkpoint_id)

    page = LivePage("checkpoints/show.html", PARTS, read, read_as_of=read, first_seq=lambda view: view.checkpoint.seq)
    return await page_response(task_id, page)

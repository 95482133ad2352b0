"""The pages of a conversation: its newest or an earlier part, and all messages of one model call."""

from __future__ import annotations

import asyncio

from quart import Blueprint, Response
from werkzeug.exceptions import NotFound

from signalbox.store import TaskReading
from signalbox.store.model_calls import model_call_of
from signalbox.webapp.auth.access import needs
from signalbox.webapp.current import fragments, store
from signalbox.webapp.drawing import ids
from signalbox.webapp.http.params import MAX_SEQ, int_parameter
from signalbox.webapp.http.root_path import at_root
from signalbox.webapp.pages.live_page import LivePage, page_response
from signalbox.webapp.pages.responses import html, layout
from signalbox.webapp.views.conversation.agents import AgentSpans
from signalbox.webapp.views.conversation.builder import whole_call
from signalbox.webapp.views.conversation.reading import Conversation, conversation_view

blueprint = Blueprint("conversation", __name__)

PARTS = {
    ids.STAND: "_status_line.html",
    ids.CONVERSATION_USAGE: "conversation/_usage.html",
    ids.CONVERSATION: "conversation/_conversation.html",
}


@blueprint.get("/tasks/<task_id>/conversation")
@needs("read")
async def show(task_id: str) -> Response:
    before = int_parameter("before", 0, 0, MAX_SEQ) or None

    async def read(view: TaskReading) -> Conversation:
        return await conversation_view(view, task_id, before=before)

    page = LivePage(
        "conversation/show.html",
        PARTS,
        read,
        read_as_of=read,
        parameters=[("before", before)],
        turns=lambda view: view.blocks,
        in_thread=True,
    )
    return await page_response(task_id, page)


@blueprint.get("/tasks/<task_id>/conversation/<int:seq>")
@needs("read")
async def call(task_id: str, seq: int) -> Response:
    """Show all messages of the model call that one event reports."""
    async with store().read() as view:
        task, found = await view.task(task_id), await view.events_at(task_id, [seq])
    if not found:
        raise NotFound
    event = found[0]
    read, path = model_call_of(event.event_type, event.payload), at_root(f"/tasks/{task_id}")
    values = {
        "task": task,
        "event": event,
        "call": read,
        "path": path,
        "blocks": whole_call(event, read, AgentSpans({})),
    }
    values["turns"] = len(read.input) + len(read.output)
    drawing, frame = fragments(), await layout()
    return html(await asyncio.to_thread(drawing.plain_page, "conversation/call.html", frame, **values))

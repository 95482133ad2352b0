"""The details of an open row of a log: the facts of its event, and its payload."""

from __future__ import annotations

import asyncio

from markupsafe import Markup
from quart import Blueprint, Response, request

from signalbox.webapp.auth.access import needs
from signalbox.webapp.current import fragments, store
from signalbox.webapp.drawing.log_rows import is_whole
from signalbox.webapp.drawing.markdown import looks_like_markdown
from signalbox.webapp.http.root_path import at_root
from signalbox.webapp.http.view_choices import views_of
from signalbox.webapp.pages.payload import IN_THREAD_BYTES
from signalbox.webapp.pages.responses import html
from signalbox.webapp.views.addresses import TaskPosition
from signalbox.webapp.views.payload import PayloadView, payload_view

blueprint = Blueprint("row_details", __name__)


@blueprint.get("/tasks/<task_id>/events/<int:seq>/details")
@needs("read")
async def show(task_id: str, seq: int) -> Response:
    """Return a fragment. It has the payload, unless the row itself shows all of it as it reads best."""
    path = at_root(f"/tasks/{task_id}")
    async with store().read() as reading:
        seen = await payload_view(reading, task_id, seq)
        span = await reading.span(task_id, seen.event.span_id)
    repeats = is_whole(seen.event) and looks_like_markdown(seen.payload["message"])
    viewer = Markup("") if is_whole(seen.event) and not repeats else await _viewer(seen, path)
    values = {"task": seen.task, "event": seen.event, "span": span, "path": path, "viewer": viewer, "repeats": repeats}
    position = TaskPosition(seq, seen.task.identity)
    return html(fragments().parts({"row": "events/_opened.html"}, **values, position=position)["row"])


async def _viewer(seen: PayloadView, path: str) -> Markup:
    preferred = views_of(request)

    def render() -> Markup:
        return fragments().payload_viewer.of_event(seen.payload, path, seen.task, seen.event.seq, preferred=preferred)

    return render() if seen.bytes <= IN_THREAD_BYTES else await asyncio.to_thread(render)

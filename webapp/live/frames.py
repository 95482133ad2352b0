"""Frames: what brings a live page from its cursor to the newest state, in one consistent read."""

from __future__ import annotations

from store import Store
from webapp.contexts import task_view
from webapp.fragments import Fragments
from webapp.live import sse
from webapp.live.hub import RenderTask
from webapp.live.ring import Chunk


def task_renderer(store: Store, fragments: Fragments) -> RenderTask:
    """The function that renders frames of task pages."""

    async def render(task_id: str, cursor: int) -> Chunk | None:
        async with store.read() as view:
            seen = await task_view(view, task_id, since=cursor)
        if seen.seq <= cursor:
            return None
        html = fragments.task_frame(seen, cursor)
        return Chunk(sse.html_message(seen.seq, html), seen.seq, seen.seq - cursor)

    return render

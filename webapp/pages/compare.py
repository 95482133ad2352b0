"""The live page that compares two runs, and the form to choose them."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from quart import Blueprint, Response

from signalbox.store import Store, UnknownTask
from signalbox.webapp.auth.access import needs
from signalbox.webapp.auth.guard import visible_projects
from signalbox.webapp.current import fragments, hub, output_comparisons, store
from signalbox.webapp.drawing import ids
from signalbox.webapp.drawing.words import about
from signalbox.webapp.http.params import MAX_SEQ, choice_parameter, parameter
from signalbox.webapp.http.root_path import at_root
from signalbox.webapp.live.board_frames import ComparisonFrames
from signalbox.webapp.live.output_comparisons import OutputComparisons
from signalbox.webapp.live.pace import Pace
from signalbox.webapp.live.stream import subscribe
from signalbox.webapp.pages.live_page import MIN_FRAME_INTERVAL_S
from signalbox.webapp.pages.responses import cursor_of_stream, epoch_of, html, layout, reset_stream, shows_other_history
from signalbox.webapp.pages.task_references import readable_task
from signalbox.webapp.views.comparison import choice_view, comparison_view

PARTS = {ids.COMPARISON: "compare/_comparison.html"}

blueprint = Blueprint("compare", __name__)


@blueprint.get("/compare")
@needs("read")
async def show() -> Response:
    a, b = [await _given(name) for name in ("a", "b")]
    if not (a and b):
        async with store().read() as view:
            choice = await choice_view(view, a or b, visible_projects())
        return html(fragments().plain_page("compare/choose.html", await layout(), choice=choice))
    only_parted = choice_parameter("show", "all", "parted") == "parted"
    if choice_parameter("part", "frames"):
        return await _stream(a, b, only_parted)
    async with store().glance() as view:
        event_id = await view.latest_event_id()
    values = await _values(store(), output_comparisons(), a, b, only_parted)
    epoch = epoch_of(_identity(values))
    of_stream = {"a": a, "b": b, "show": "parted" if only_parted else "all", "part": "frames", "epoch": epoch}
    stream = at_root(f"/compare?{urlencode(of_stream)}")
    return html(fragments().plain_page("compare/show.html", await layout(), **values, stream=stream, event_id=event_id))


async def _given(name: str) -> str:
    """Return the id of the task that a parameter refers to, or "" without one. Raises as `readable_task`."""
    text = (parameter(name) or "").strip()
    return await readable_task(text, name) if text else ""


async def _values(opened: Store, outputs: OutputComparisons, a: str, b: str, only_parted: bool) -> dict[str, Any]:
    async with opened.read() as view:
        seen = await comparison_view(view, a, b, only_parted=only_parted)
    output = await outputs.of(seen.a.task, seen.b.task) if seen.of_commands and seen.has_ended else None
    return {"view": seen, "about": about, "output": output}


def _identity(values: dict[str, Any]) -> str:
    """Return the identities of the two tasks, which differ from those of earlier tasks with the same ids."""
    return f"{values['view'].a.task.identity}.{values['view'].b.task.identity}"


async def _stream(a: str, b: str, only_parted: bool) -> Response:
    cursor = cursor_of_stream()
    async with store().read() as view:
        newest, tasks = await view.latest_event_id(), [await view.task(task_id) for task_id in (a, b)]
    identity = ".".join(task.identity for task in tasks)
    if shows_other_history(newest, cursor, identity):
        return reset_stream(newest)
    opened, drawing, outputs = store(), fragments(), output_comparisons()

    async def draw() -> dict[str, str]:
        values = await _values(opened, outputs, a, b, only_parted)
        if _identity(values) != identity:
            raise UnknownTask(a)
        return drawing.parts(PARTS, **values)

    renderer, pace = ComparisonFrames(opened, drawing, (a, b), draw), Pace(MIN_FRAME_INTERVAL_S, batch_size=MAX_SEQ)
    return subscribe(
        hub(), lambda lanes: lanes.board_lane(("compare", a, b, only_parted, identity), renderer, pace), cursor
    )

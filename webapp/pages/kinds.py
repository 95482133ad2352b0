"""The live pages of kinds: an overview, and the newest runs of one kind."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

from markupsafe import Markup
from quart import Blueprint, Response

from signalbox.store import NotFound, Reading
from signalbox.webapp.auth.access import needs
from signalbox.webapp.auth.guard import visible_projects
from signalbox.webapp.current import fragments, hub, store
from signalbox.webapp.drawing import ids
from signalbox.webapp.http.params import MAX_SEQ, choice_parameter
from signalbox.webapp.http.query_parameters import query_as
from signalbox.webapp.live.board_frames import BoardFrames
from signalbox.webapp.live.pace import Pace
from signalbox.webapp.live.stream import subscribe
from signalbox.webapp.pages.live_page import MIN_FRAME_INTERVAL_S
from signalbox.webapp.pages.responses import cursor_of_stream, html, layout, reset_stream, shows_other_history
from signalbox.webapp.views.kind import kind_query, kind_view
from signalbox.webapp.views.kinds import kinds_view
from signalbox.webapp.views.list_query import KindFilters, KindsPage, tag_pairs

blueprint = Blueprint("kinds", __name__)

OVERVIEW = {ids.KINDS: "kinds/_kinds.html"}
ONE = {ids.KIND_FILTERS: "kinds/_filters.html", ids.KIND: "kinds/_kind.html"}


@blueprint.get("/kinds")
@needs("read")
async def index() -> Response:
    page, projects = query_as(KindsPage, form=True), visible_projects()
    drawing = fragments()

    async def draw(view: Reading) -> dict[str, str]:
        return drawing.parts(OVERVIEW, view=await kinds_view(view, projects, page.after))

    if choice_parameter("part", "frames"):
        return await _stream(draw, ("kinds", projects, page.after))
    async with store().read() as view:
        event_id, parts = await view.latest_event_id(), await draw(view)
    return await _page("kinds/index.html", parts, [("after", page.after)], event_id=event_id)


@blueprint.get("/kinds/<name:kind>")
@needs("read")
async def show(kind: str) -> Response:
    filters = query_as(KindFilters, form=True)
    query = kind_query(kind, visible_projects(), filters.project or None, tag_pairs(filters.tag))
    drawing = fragments()

    async def draw(view: Reading) -> dict[str, str]:
        return drawing.parts(ONE, view=await kind_view(view, query))

    if choice_parameter("part", "frames"):
        return await _stream(draw, ("kind", query))
    async with store().read() as view:
        seen = await kind_view(view, query)
    if not seen.exists:
        raise NotFound(f"there is no run of the kind {kind!r}")
    fields = [("project", filters.project), *(("tag", tag) for tag in filters.tag)]
    return await _page("kinds/show.html", drawing.parts(ONE, view=seen), fields, view=seen)


async def _page(template: str, parts: dict[str, str], fields: Sequence[tuple[str, str]], **values: Any) -> Response:
    address = [(name, value) for name, value in fields if value]
    stream = f"?{urlencode([*address, ('part', 'frames'), ('epoch', store().epoch)])}"
    marked = {part: Markup(drawn) for part, drawn in parts.items()}
    return html(fragments().plain_page(template, await layout(), **values, parts=marked, stream=stream, place="kinds"))


async def _stream(draw: Any, key: object) -> Response:
    cursor = cursor_of_stream()
    async with store().read() as view:
        newest = await view.latest_event_id()
        if shows_other_history(newest, cursor):
            return reset_stream(newest)
        await draw(view)
    renderer, pace = BoardFrames(store(), fragments(), draw), Pace(MIN_FRAME_INTERVAL_S, batch_size=MAX_SEQ)
    return subscribe(hub(), lambda lanes: lanes.board_lane(key, renderer, pace), cursor)

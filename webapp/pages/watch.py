"""The live page that shows two to nine runs as tiles, on one stream."""

from __future__ import annotations

from urllib.parse import urlencode

from markupsafe import Markup
from quart import Blueprint, Response, request

from signalbox.store import UnknownTask
from signalbox.store.identity import reference_to
from signalbox.webapp.auth.access import needs
from signalbox.webapp.current import fragments, hub, store
from signalbox.webapp.http.bad_request import BadRequest
from signalbox.webapp.http.params import MAX_SEQ, choice_parameter
from signalbox.webapp.http.root_path import at_root
from signalbox.webapp.live.board_frames import ComparisonFrames
from signalbox.webapp.live.pace import Pace
from signalbox.webapp.live.stream import subscribe
from signalbox.webapp.pages.responses import cursor_of_stream, epoch_of, html, layout, reset_stream, shows_other_history
from signalbox.webapp.pages.task_references import readable_task
from signalbox.webapp.views.watch import Tile, watch_tiles

LEAST, MOST = 2, 9
MIN_FRAME_INTERVAL_S = 0.5

blueprint = Blueprint("watch", __name__)


@blueprint.get("/watch")
@needs("read")
async def show() -> Response:
    given = list(dict.fromkeys(text for text in request.args.getlist("task") if text))
    if not LEAST <= len(given) <= MOST:
        raise BadRequest(f"task must be given {LEAST} to {MOST} times, not {len(given)}", "task")
    tasks = tuple(dict.fromkeys([await readable_task(text, "task") for text in given]))
    if choice_parameter("part", "frames"):
        return await _stream(tasks)
    async with store().read() as view:
        tiles, event_id = await watch_tiles(view, tasks), await view.latest_event_id()
    address = [("task", reference_to(tile.task)) for tile in tiles]
    stream = at_root(f"/watch?{urlencode([*address, ('part', 'frames'), ('epoch', epoch_of(_identity(tiles)))])}")
    panels = [Markup(panel) for panel in fragments().watch_tiles(tiles).values()]
    return html(
        fragments().plain_page("watch/show.html", await layout(), panels=panels, stream=stream, event_id=event_id)
    )


def _identity(tiles: list[Tile]) -> str:
    """Return the identities of the tasks, which differ from those of earlier tasks with the same ids."""
    return ".".join(tile.task.identity for tile in tiles)


async def _stream(tasks: tuple[str, ...]) -> Response:
    cursor = cursor_of_stream()
    async with store().read() as view:
        newest, identity = await view.latest_event_id(), _identity(await watch_tiles(view, tasks))
    if shows_other_history(newest, cursor, identity):
        return reset_stream(newest)
    opened, drawing = store(), fragments()

    async def draw() -> dict[str, str]:
        async with opened.read() as view:
            tiles = await watch_tiles(view, tasks)
        if _identity(tiles) != identity:
            raise UnknownTask(tasks[0])
        return drawing.watch_tiles(tiles)

    renderer, pace = ComparisonFrames(opened, drawing, tasks, draw), Pace(MIN_FRAME_INTERVAL_S, batch_size=MAX_SEQ)
    return subscribe(hub(), lambda lanes: lanes.board_lane(("watch", *tasks, identity), renderer, pace), cursor)

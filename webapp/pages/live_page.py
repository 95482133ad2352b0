"""A live page of one task: rendered whole, then each part again when it changes.

The page and its stream are one address with the same parameters; `part=frames` asks for the stream.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic
from urllib.parse import urlencode

from markupsafe import Markup
from quart import Response, request
from werkzeug.exceptions import NotFound

from signalbox.store import Reading, TaskReading
from signalbox.webapp.auth.guard import may_answer_task
from signalbox.webapp.current import fragments, history, hub, store
from signalbox.webapp.http.params import MAX_SEQ, whole
from signalbox.webapp.http.refusals import NotYet
from signalbox.webapp.http.root_path import at_root
from signalbox.webapp.live.pace import Pace
from signalbox.webapp.live.stream import subscribe
from signalbox.webapp.live.task_frames import PartFrames, V
from signalbox.webapp.pages.responses import cursor_of_stream, epoch_of, html, layout, reset_stream, shows_other_history
from signalbox.webapp.views.time_travel import TimeTravel, reading_as_of

SLOWEST = 2.0
"""Seconds between two frames of a page that is costly to read or render."""

Parameters = Sequence[tuple[str, object]]


@dataclass(frozen=True)
class LivePage(Generic[V]):
    """How a page is read and rendered. `parts` has the DOM ids of the parts that change, each with its template.

    `parameters` are those that the route knows, as it understood them; those without a value are left out. Pages with
    the same parameters share their frames, so nothing else of an address may change what is drawn.

    All templates get the result of `values`, and `view`, `task`, and the `path` of the task. `read_as_of` reads the
    page as of an earlier event, for `?at=`; None if it has no past. `born` is the first seq that the page can show.
    """

    template: str
    parts: Mapping[str, str]
    read: Callable[[Reading], Awaitable[V]]
    values: Callable[[V], dict[str, Any]] = lambda view: {}
    read_as_of: Callable[[TaskReading], Awaitable[V]] | None = None
    born: Callable[[V], int] = lambda view: 1
    parameters: Parameters = ()

    @property
    def address(self) -> list[tuple[str, str]]:
        """The parameters of this page's address."""
        return [(name, str(value)) for name, value in self.parameters if value not in (None, "")]

    def all_values(self, view: V, may_answer: bool, root: str) -> dict[str, Any]:
        """The values of all templates of the page. `may_answer`: the reader may answer and cancel the run.

        `root` is the path prefix of the server.
        """
        return {
            "may_answer": may_answer,
            "view": view,
            "task": view.task,
            "path": f"{root}/tasks/{view.task.task_id}",
            **self.values(view),
        }


async def page_response(task_id: str, page: LivePage[V]) -> Response:
    """The response to a request for the page, for its stream, or for the page as of an earlier event."""
    if page.read_as_of and (at := whole("at", 0, 1, MAX_SEQ)):
        return await _as_of(task_id, page, page.read_as_of, at)
    if request.args.get("part") == "frames":
        return await _stream(task_id, page)
    async with store().read() as view:
        seen = await page.read(view)
    stream = urlencode([*page.address, ("part", "frames"), ("epoch", epoch_of(seen.task.identity))])
    return await _whole(page, page.all_values(seen, await may_answer_task(task_id), request.root_path), f"?{stream}")


async def _as_of(task_id: str, page: LivePage[V], read: Callable[[TaskReading], Awaitable[V]], at: int) -> Response:
    async with store().read() as view:
        latest = (await view.head(task_id)).latest_seq
        reading = await reading_as_of(view, history(), task_id, at)
        try:
            seen = await read(reading)
        except NotFound as error:
            born = page.born(await page.read(view))
            raise NotYet(f"this was not there yet as of #{at}: it came with #{born}") from error
    then = TimeTravel(
        seq=seen.task.latest_seq,
        at=seen.task.updated_at,
        asked=at,
        latest=latest,
        here=at_root(request.path),
        first=page.born(seen),
        parameters=page.address,
    )
    return await _whole(
        page,
        page.all_values(seen, await may_answer_task(task_id), request.root_path)
        | {"time_travel": then, "at": then.seq},
    )


async def _whole(page: LivePage[V], values: dict[str, Any], stream: str = "") -> Response:
    parts = {part: Markup(drawn) for part, drawn in fragments().parts(page.parts, **values).items()}
    return html(fragments().plain_page(page.template, await layout(), **values, parts=parts, stream=stream))


async def _stream(task_id: str, page: LivePage[V]) -> Response:
    cursor = cursor_of_stream()
    async with store().read() as view:
        head = await view.head(task_id)
        if shows_other_history(head.latest_seq, cursor, head.identity):
            return reset_stream(head.latest_seq)
        await page.read(view)
    drawing, may_answer = fragments(), await may_answer_task(task_id)
    root = request.root_path

    def draw(seen: V) -> dict[str, str]:
        return drawing.parts(page.parts, **page.all_values(seen, may_answer, root))

    renderer = PartFrames(store(), drawing, page.read, draw, head.identity)
    pace = Pace(SLOWEST, batch_size=MAX_SEQ)
    key = (request.endpoint, *(request.view_args or {}).items(), may_answer, *page.address)
    return subscribe(
        hub(), lambda lanes: lanes.frame_lane(task_id, renderer, key, pace, identity=head.identity), cursor
    )

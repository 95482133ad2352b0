"""A live page of one task: it is rendered once as a whole, then each part is sent again when it changes.

The page and its stream have the same address and parameters; `part=frames` requests the stream.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic
from urllib.parse import urlencode

from markupsafe import Markup
from quart import Response, request
from werkzeug.exceptions import NotFound

from signalbox.store import Reading, TaskReading
from signalbox.store.history import History
from signalbox.store.state import Task
from signalbox.webapp.auth.guard import may_answer_task
from signalbox.webapp.current import fragments, history, hub, store
from signalbox.webapp.drawing import ids
from signalbox.webapp.drawing.fragments import Fragments
from signalbox.webapp.http.params import MAX_SEQ, choice_parameter, int_parameter
from signalbox.webapp.http.refusals import NotYet
from signalbox.webapp.http.root_path import here
from signalbox.webapp.live.pace import Pace
from signalbox.webapp.live.renderer import Renderer
from signalbox.webapp.live.stream import subscribe
from signalbox.webapp.live.task_frames import PartFrames, V
from signalbox.webapp.live.turn_frames import TurnFrames
from signalbox.webapp.pages.responses import cursor_of_stream, epoch_of, html, layout, reset_stream, shows_other_history
from signalbox.webapp.views.conversation.blocks import Block
from signalbox.webapp.views.time_travel import TimeTravel, reading_as_of

MIN_FRAME_INTERVAL_S = 2.0
"""Minimum seconds between two frames of a page that is costly to read or render."""

Parameters = Sequence[tuple[str, object]]


@dataclass(frozen=True)
class LivePage(Generic[V]):
    """How to read and render a page. `parts` maps the DOM id of each part that changes to its template.

    `parameters` are the parsed parameters of the route; empty ones are left out. Pages with the same parameters share
    their frames, so no other part of the address may affect the page.

    All templates get the result of `values`, and `view`, `task`, and the `path` of the task. `read_as_of` reads the
    page as of an earlier event, for `?at=`; None if the page does not support that. `first_seq` returns the first seq
    at which the subject of the page exists. `turns` returns the blocks of the conversation that the page shows; their
    HTML is in `turns` for the templates. With `in_thread` a thread renders the parts, so that nobody else
    waits for it: a page of spans has hundreds of rows, and the texts of a conversation may be hostile.
    """

    template: str
    parts: Mapping[str, str]
    read: Callable[[Reading], Awaitable[V]]
    values: Callable[[V], dict[str, Any]] = lambda view: {}
    read_as_of: Callable[[TaskReading], Awaitable[V]] | None = None
    first_seq: Callable[[V], int] = lambda view: 1
    parameters: Parameters = ()
    turns: Callable[[V], Sequence[Block]] | None = None
    in_thread: bool = False

    @property
    def address(self) -> list[tuple[str, str]]:
        """The parameters of this page's address, as texts."""
        return [(name, str(value)) for name, value in self.parameters if value not in (None, "")]

    def all_values(self, view: V, may_answer: bool, root: str) -> dict[str, Any]:
        """Return the values for all templates of the page. `may_answer`: the reader may answer and cancel the run.

        `root` is the path prefix of the server, such as `/signalbox`.
        """
        return {
            "may_answer": may_answer,
            "view": view,
            "task": view.task,
            "path": f"{root}/tasks/{view.task.task_id}",
            **self.values(view),
        }


@dataclass(frozen=True)
class TimeTravelView(Generic[V]):
    """The view of a page as of an earlier event."""

    seen: V
    time_travel: TimeTravel

    @property
    def task(self) -> Task:
        """The task as of that event."""
        return self.seen.task


async def drawn(
    drawing: Fragments, page: LivePage[V], view: V, values: dict[str, Any]
) -> tuple[dict[str, str], dict[str, str]]:
    """Return the parts of a page and the blocks of its conversation, both by DOM id."""
    if page.in_thread:
        return await asyncio.to_thread(_drawn, drawing, page, view, values)
    return _drawn(drawing, page, view, values)


def _drawn(
    drawing: Fragments, page: LivePage[V], view: V, values: dict[str, Any]
) -> tuple[dict[str, str], dict[str, str]]:
    turns = {}
    if page.turns is not None:
        turns = drawing.turns(page.turns(view), values["path"], view.task, values.get("at"))
    parts = drawing.parts(page.parts, **values, turns=list(turns.values()))
    return parts, {turn: str(html) for turn, html in turns.items()}


async def page_response(task_id: str, page: LivePage[V]) -> Response:
    """Respond to a request for the page, for its stream, or for the page as of an earlier event."""
    frames = choice_parameter("part", "frames") == "frames"
    if page.read_as_of and (at := int_parameter("at", 0, 1, MAX_SEQ)):
        return await (_stream_as_of if frames else _as_of)(task_id, page, page.read_as_of, at)
    if frames:
        return await _stream(task_id, page)
    async with store().read() as view:
        seen = await page.read(view)
    stream = urlencode([*page.address, ("part", "frames"), ("epoch", epoch_of(seen.task.identity))])
    values = page.all_values(seen, await may_answer_task(task_id), request.root_path)
    return await _whole(page, seen, values, f"?{stream}")


async def _as_of(task_id: str, page: LivePage[V], read: Callable[[TaskReading], Awaitable[V]], at: int) -> Response:
    await history().prepare(store(), task_id, at)
    async with store().read() as view:
        try:
            travelled = await _travel(view, task_id, page, read, at, here(), history())
        except NotFound as error:
            first_seq = page.first_seq(await page.read(view))
            raise NotYet(f"this did not exist yet as of #{at}: it begins with #{first_seq}") from error
    then, stream = travelled.time_travel, ""
    if then.is_unreached:
        epoch = epoch_of(travelled.task.identity)
        stream = f"?{urlencode([*page.address, ('at', at), ('part', 'frames'), ('epoch', epoch)])}"
    values = page.all_values(travelled.seen, await may_answer_task(task_id), request.root_path)
    return await _whole(page, travelled.seen, values | {"time_travel": then, "at": then.position}, stream)


async def _travel(
    view: Reading,
    task_id: str,
    page: LivePage[V],
    read: Callable[[TaskReading], Awaitable[V]],
    at: int,
    address: str,
    kept: History,
) -> TimeTravelView[V]:
    latest = (await view.head(task_id)).latest_seq
    seen = await read(await reading_as_of(view, kept, task_id, at))
    then = TimeTravel(
        seq=seen.task.latest_seq,
        at=seen.task.updated_at,
        asked=at,
        latest=latest,
        here=address,
        identity=seen.task.identity,
        first=page.first_seq(seen),
        parameters=page.address,
    )
    return TimeTravelView(seen, then)


async def _stream_as_of(
    task_id: str, page: LivePage[V], read: Callable[[TaskReading], Awaitable[V]], at: int
) -> Response:
    """Stream a page as of an event that the log has not reached. Once it is reached, no more frames are sent."""
    drawing, may_answer = fragments(), await may_answer_task(task_id)
    root, address, kept = request.root_path, here(), history()

    async def travel(view: Reading) -> TimeTravelView[V]:
        return await _travel(view, task_id, page, read, at, address, kept)

    async def draw(travelled: TimeTravelView[V]) -> dict[str, str]:
        then = travelled.time_travel
        values = page.all_values(travelled.seen, may_answer, root) | {"time_travel": then, "at": then.position}
        parts, _ = await drawn(drawing, page, travelled.seen, values)
        return drawing.parts({ids.TIME_TRAVEL: "_time_travel.html"}, **values) | parts

    return await stream_as_of(task_id, travel, draw, (request.endpoint, may_answer, at, *page.address))


async def _whole(page: LivePage[V], view: V, values: dict[str, Any], stream: str = "") -> Response:
    parts, _ = await drawn(fragments(), page, view, values)
    marked = {part: Markup(html) for part, html in parts.items()}
    return html(fragments().plain_page(page.template, await layout(), **values, parts=marked, stream=stream))


async def _stream(task_id: str, page: LivePage[V]) -> Response:
    cursor = cursor_of_stream()
    async with store().read() as view:
        head = await view.head(task_id)
        if shows_other_history(head.latest_seq, cursor, head.identity):
            return reset_stream(head.latest_seq)
        await page.read(view)
    drawing, may_answer = fragments(), await may_answer_task(task_id)
    root = request.root_path

    async def draw_with_turns(seen: V) -> tuple[dict[str, str], dict[str, str]]:
        return await drawn(drawing, page, seen, page.all_values(seen, may_answer, root))

    async def draw(seen: V) -> dict[str, str]:
        parts, _ = await draw_with_turns(seen)
        return parts

    renderer: Renderer = PartFrames(store(), drawing, page.read, draw, head.identity)
    if page.turns is not None:
        renderer = TurnFrames(store(), drawing, page.read, draw_with_turns, head.identity)
    pace = Pace(MIN_FRAME_INTERVAL_S, batch_size=MAX_SEQ)
    key = (request.endpoint, *(request.view_args or {}).items(), may_answer, *page.address)
    return subscribe(
        hub(), lambda lanes: lanes.frame_lane(task_id, renderer, key, pace, identity=head.identity), cursor
    )


async def stream_as_of(
    task_id: str,
    travel: Callable[[Reading], Awaitable[TimeTravelView[V]]],
    draw: Callable[[TimeTravelView[V]], Awaitable[dict[str, str]]],
    key: tuple[object, ...],
) -> Response:
    """Stream the parts that `draw` returns, for a page as of an event that the log has not reached."""
    cursor = cursor_of_stream()
    await history().prepare(store(), task_id, MAX_SEQ)
    async with store().read() as view:
        head = await view.head(task_id)
        if shows_other_history(head.latest_seq, cursor, head.identity):
            return reset_stream(head.latest_seq)
        await travel(view)
    renderer = PartFrames(store(), fragments(), travel, draw, head.identity)
    pace = Pace(MIN_FRAME_INTERVAL_S, batch_size=MAX_SEQ)
    view_args = tuple((request.view_args or {}).items())
    return subscribe(
        hub(),
        lambda lanes: lanes.frame_lane(task_id, renderer, ("as of", *view_args, *key), pace, identity=head.identity),
        cursor,
    )

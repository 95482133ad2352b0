"""The task list and the task page, each as a page, as a stream of frames and as one frame."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from urllib.parse import urlencode

import msgspec
from quart import Blueprint, Response, request

from signalbox.store import InvalidEvent, Reading, TaskQuery, UnknownTask
from signalbox.store.history import History
from signalbox.store.identity import parse_reference
from signalbox.store.state import Task
from signalbox.webapp.acts.start_retry import retry_key
from signalbox.webapp.auth.access import needs
from signalbox.webapp.auth.guard import answerable_projects, may_answer_task, visible_projects
from signalbox.webapp.current import fragments, history, hub, store
from signalbox.webapp.http.bad_request import BadRequest
from signalbox.webapp.http.params import MAX_SEQ, int_parameter
from signalbox.webapp.http.query_parameters import query_as
from signalbox.webapp.http.root_path import at_root, here
from signalbox.webapp.live.board_frames import TaskListFrames
from signalbox.webapp.live.lane import Lane
from signalbox.webapp.live.lanes import Lanes
from signalbox.webapp.live.stream import subscribe
from signalbox.webapp.live.task_frames import TaskFrames
from signalbox.webapp.pages.live_page import TimeTravelView, stream_as_of
from signalbox.webapp.pages.responses import cursor_of_stream, epoch_of, html, layout, reset_stream, shows_other_history
from signalbox.webapp.pages.selection import MAX_UNDO
from signalbox.webapp.pages.viewer_zone import day_of_viewer
from signalbox.webapp.views.forecast import Earlier
from signalbox.webapp.views.list_query import ListFilters, page_fields, task_query
from signalbox.webapp.views.outcome import outcome_of
from signalbox.webapp.views.task import TaskView, task_view
from signalbox.webapp.views.task_list import task_list_view
from signalbox.webapp.views.time_travel import TimeTravel, reading_as_of

blueprint = Blueprint("tasks", __name__)

MAX_STATE_CHARS = 100
"""The characters of a state's name that are kept with a stream. All names are shorter."""


def _list_query() -> TaskQuery:
    """Return the query that the parameters of a list mean. Raises BadRequest."""
    query = task_query(query_as(ListFilters, form=True), visible_projects())
    since, until = day_of_viewer("created_since", query.since), day_of_viewer("created_until", query.until)
    return msgspec.structs.replace(query, since=since, until=until)


@blueprint.get("/")
@blueprint.get("/tasks")
@needs("read")
async def index() -> Response:
    query = _list_query()
    async with store().read() as view:
        seen = await task_list_view(view, query, manages=answerable_projects() != ())
        archived = await _just_archived(view)
    stream_path = at_root(f"/live/tasks?{urlencode([*page_fields(query), ('epoch', store().epoch)])}")
    return html(fragments().list_page(seen, archived=archived, stream_path=stream_path, **await layout()))


async def _just_archived(view: Reading) -> list[Task]:
    """Return the tasks that the caller has just archived, as the address says, and that are still archived."""
    answerable, found = answerable_projects(), []
    for text in request.args.getlist("undo")[:MAX_UNDO]:
        with suppress(InvalidEvent, UnknownTask):
            task_id, identity = parse_reference(text, "undo")
            task = await view.task(task_id)
            may_restore = answerable is None or task.project_id in answerable
            if task.archived_at and may_restore and identity in (None, task.identity):
                found.append(task)
    return found


@blueprint.get("/live/tasks")
@needs("read")
async def index_stream() -> Response:
    query, cursor = _list_query(), cursor_of_stream()
    async with store().read() as view:
        newest = await view.latest_event_id()
    if shows_other_history(newest, cursor):
        return reset_stream(newest)
    manages = answerable_projects() != ()
    renderer = TaskListFrames(store(), fragments(), query, manages=manages)
    return subscribe(hub(), lambda lanes: lanes.board_lane((query, manages), renderer), cursor, shown=_shown())


@blueprint.get("/tasks/<task_id>")
@needs("read")
async def show(task_id: str) -> Response:
    if at := int_parameter("at", 0, 1, MAX_SEQ):
        return await _as_of(task_id, at)
    seen = await _task(task_id)
    return html(fragments().task_page(seen, **{**await layout(), "epoch": epoch_of(seen.task.identity)}))


async def _as_of(task_id: str, at: int) -> Response:
    may_answer, key = await may_answer_task(task_id), await _key(task_id)
    await history().prepare(store(), task_id, at)
    async with store().read() as view:
        travelled = await _travel(view, task_id, at, here(), history(), may_answer, key)
    page = {**await layout(), "epoch": epoch_of(travelled.task.identity)}
    return html(fragments().time_travel_page(travelled.seen, travelled.time_travel, **page))


async def _travel(
    view: Reading, task_id: str, at: int, address: str, kept: History, may_answer: bool, key: bytes | None
) -> TimeTravelView[TaskView]:
    latest = (await view.head(task_id)).latest_seq
    reading = await reading_as_of(view, kept, task_id, at)
    outcome = partial(outcome_of, reading, view)
    seen = await task_view(reading, task_id, outcome=outcome, may_answer=may_answer, key=key)
    then = TimeTravel(
        seq=seen.seq, at=seen.task.updated_at, asked=at, latest=latest, here=address, identity=seen.task.identity
    )
    return TimeTravelView(seen, then)


async def _stream_as_of(task_id: str, at: int) -> Response:
    may_answer, key = await may_answer_task(task_id), await _key(task_id)
    drawing, address, kept = fragments(), at_root(f"/tasks/{task_id}"), history()

    async def travel(view: Reading) -> TimeTravelView[TaskView]:
        return await _travel(view, task_id, at, address, kept, may_answer, key)

    async def draw(travelled: TimeTravelView[TaskView]) -> dict[str, str]:
        return drawing.time_travel_parts(travelled.seen, travelled.time_travel)

    return await stream_as_of(task_id, travel, draw, (may_answer, key is not None, at))


@blueprint.get("/tasks/<task_id>/stream")
@needs("read")
async def show_stream(task_id: str) -> Response:
    if at := int_parameter("at", 0, 1, MAX_SEQ):
        return await _stream_as_of(task_id, at)
    cursor = cursor_of_stream()
    async with store().glance() as view:
        head = await view.head(task_id)
    if shows_other_history(head.latest_seq, cursor, head.identity):
        return reset_stream(head.latest_seq)
    may_answer, key = await may_answer_task(task_id), await _key(task_id)
    opened, drawing, identity = store(), fragments(), head.identity

    def lane(lanes: Lanes) -> Lane:
        renderer = TaskFrames(
            opened,
            drawing,
            lanes.watched_task(task_id, identity),
            lanes.forecasts,
            may_answer=may_answer,
            key=key,
            identity=identity,
        )
        return lanes.frame_lane(task_id, renderer, ("frames", may_answer), identity=identity)

    return subscribe(hub(), lane, cursor, shown=_shown())


@blueprint.get("/tasks/<task_id>/frame")
@needs("read")
async def show_frame(task_id: str) -> Response:
    cursor = cursor_of_stream()
    seen = await _task(task_id, since=cursor)
    if shows_other_history(seen.seq, cursor, seen.task.identity):
        raise BadRequest("the page shows another history of this log; reload it", "since")
    return html(fragments().task_frame(seen, cursor))


async def _task(task_id: str, *, since: int = 0) -> TaskView:
    # Check rights first: code that holds a view must not request another one.
    may_answer, key = await may_answer_task(task_id), await _key(task_id)
    async with store().read() as view:
        earlier = partial(Earlier().of, view)
        outcome = partial(outcome_of, view, view)
        return await task_view(
            view, task_id, since=since, earlier=earlier, outcome=outcome, may_answer=may_answer, key=key
        )


def _shown() -> str:
    """Return the name of the state that the page shows."""
    return request.args.get("shown", "")[:MAX_STATE_CHARS]


async def _key(task_id: str) -> bytes | None:
    """Return the key that signs commands if the reader may retry the task, else None."""
    return retry_key() if await may_answer_task(task_id) else None

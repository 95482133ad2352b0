"""The task list and the task page, each as a page, as a stream of frames and as one frame."""

from __future__ import annotations

from functools import partial
from urllib.parse import urlencode

from quart import Blueprint, Response, request

from signalbox.webapp.acts.start_retry import retry_key
from signalbox.webapp.api.tasks import task_query
from signalbox.webapp.auth.access import needs
from signalbox.webapp.auth.guard import answered_projects, may_answer_task, principal
from signalbox.webapp.current import fragments, history, hub, settings, store
from signalbox.webapp.http.bad_request import BadRequest
from signalbox.webapp.http.params import MAX_SEQ, last_event_id, whole
from signalbox.webapp.http.root_path import at_root
from signalbox.webapp.live import sse
from signalbox.webapp.live.frames import list_frames, task_frames
from signalbox.webapp.live.stream import closing, subscribe
from signalbox.webapp.views.as_of import AsOf, past_of
from signalbox.webapp.views.forecast import Earlier
from signalbox.webapp.views.list_query import page_fields
from signalbox.webapp.views.task import FLAGS, TaskView, task_view
from signalbox.webapp.views.task_list import task_list_view

blueprint = Blueprint("tasks", __name__)


def html(text: str) -> Response:
    """An HTML answer."""
    return Response(text, content_type="text/html; charset=utf-8")


async def layout() -> dict[str, object]:
    """What the layout of every page shows."""
    asker = await principal()
    async with store().read() as view:
        waiting = await view.count_open_permissions(asker.projects("read"))
    return {
        "person": asker.name if asker.is_person else "",
        "permissions_open": waiting,
        "epoch": store().epoch,
        "heartbeat": settings().keepalive_interval,
        "base_url": f"{request.host_url.rstrip('/')}{request.root_path}",
    }


def cursor_of_stream() -> int:
    """Where a page's stream goes on: what `Last-Event-ID` says, then what `since` says. Raises BadRequest."""
    last = last_event_id()
    return whole("since", 0, 0, MAX_SEQ) if last is None else last


def epoch_of(identity: str) -> str:
    """Which history the page of a task shows: that of this store, and of this task of all that ever had its id."""
    return f"{store().epoch}.{identity}"


def other_history(newest: int, cursor: int, identity: str = "") -> bool:
    """Whether the page shows another history than there is: the store was restored or made anew, or the task was."""
    epoch = request.args.get("epoch")
    # A page of an older server names the store alone.
    return cursor > newest or (epoch is not None and epoch not in (store().epoch, epoch_of(identity)))


def reset(newest: int) -> Response:
    """What such a page is told."""
    return closing(sse.reset({"latest_seq": newest, "epoch": store().epoch}))


@blueprint.get("/")
@blueprint.get("/tasks")
@needs("read")
async def index() -> Response:
    query = task_query()
    async with store().read() as view:
        seen = await task_list_view(view, query, manages=answered_projects() != ())
    stream_path = at_root(f"/live/tasks?{urlencode([*page_fields(query), ('epoch', store().epoch)])}")
    return html(fragments().list_page(seen, stream_path=stream_path, **await layout()))


@blueprint.get("/live/tasks")
@needs("read")
async def index_stream() -> Response:
    query, cursor = task_query(), cursor_of_stream()
    async with store().read() as view:
        newest = await view.latest_event_id()
    if other_history(newest, cursor):
        return reset(newest)
    manages = answered_projects() != ()
    streams, render = hub(), list_frames(store(), fragments(), query, manages=manages)
    return subscribe(streams, lambda: streams.board_lane((query, manages), render), cursor)


@blueprint.get("/tasks/<task_id>")
@needs("read")
async def show(task_id: str) -> Response:
    if at := whole("at", 0, 1, MAX_SEQ):
        return await _as_of(task_id, at)
    seen = await _task(task_id)
    return html(fragments().task_page(seen, **{**await layout(), "epoch": epoch_of(seen.task.identity)}))


async def _as_of(task_id: str, at: int) -> Response:
    answers, key = await may_answer_task(task_id), await _key(task_id)
    async with store().read() as view:
        latest = (await view.head(task_id)).latest_seq
        past = await past_of(view, history(), task_id, at)
        seen = await task_view(past, task_id, may_answer=answers, key=key)
    then = AsOf(seq=seen.seq, at=seen.task.updated_at, asked=at, latest=latest, here=at_root(request.path))
    return html(fragments().past_page(seen, then, **await layout()))


@blueprint.get("/tasks/<task_id>/stream")
@needs("read")
async def show_stream(task_id: str) -> Response:
    cursor = cursor_of_stream()
    async with store().glance() as view:
        head = await view.head(task_id)
    if other_history(head.latest_seq, cursor, head.identity):
        return reset(head.latest_seq)
    answers, key, shown = await may_answer_task(task_id), await _key(task_id), _shown()
    streams, render = (
        hub(),
        task_frames(store(), fragments(), task_id, may_answer=answers, key=key, shown=shown, identity=head.identity),
    )
    return subscribe(
        streams, lambda: streams.frame_lane(task_id, render, ("frames", answers, shown), identity=head.identity), cursor
    )


@blueprint.get("/tasks/<task_id>/frame")
@needs("read")
async def show_frame(task_id: str) -> Response:
    cursor = cursor_of_stream()
    seen = await _task(task_id, since=cursor)
    if other_history(seen.seq, cursor, seen.task.identity):
        raise BadRequest("the page shows a log that is not this one; reload it", "since")
    return html(fragments().task_frame(seen, cursor))


async def _task(task_id: str, *, since: int = 0) -> TaskView:
    # Rights come first: whoever holds a view must not request another one.
    answers, key = await may_answer_task(task_id), await _key(task_id)
    async with store().read() as view:
        told = partial(Earlier().of, view)
        return await task_view(view, task_id, since=since, earlier=told, may_answer=answers, key=key)


def _shown() -> str:
    """The flags that the page shows by now, as `flags_of` has them."""
    said = request.args.get("shown", "").split()
    return " ".join(word for word in FLAGS if word in said)


async def _key(task_id: str) -> bytes | None:
    """What the commands are signed with that the reader may have run again."""
    return retry_key() if await may_answer_task(task_id) else None

"""The pages of a task's log: a window of the log, search results, and links to one event."""

from __future__ import annotations

from urllib.parse import urlencode

import msgspec
from quart import Blueprint, Response, redirect, request
from werkzeug.wrappers import Response as Redirect

from signalbox.store import LogQuery
from signalbox.webapp.auth.access import needs
from signalbox.webapp.current import fragments, store
from signalbox.webapp.drawing import ids
from signalbox.webapp.http.params import MAX_SEQ, choice_parameter, flag_parameter, int_parameter
from signalbox.webapp.http.query_parameters import query_as
from signalbox.webapp.http.root_path import at_root
from signalbox.webapp.pages.live_page import LivePage, page_response
from signalbox.webapp.pages.responses import html
from signalbox.webapp.pages.viewer_zone import time_of_viewer
from signalbox.webapp.views.log import hits_view
from signalbox.webapp.views.log_page import Jump, LogPlace, log_page_view, newest
from signalbox.webapp.views.log_query import LogFilters, log_fields, log_filters, log_query

blueprint = Blueprint("log", __name__)

WINDOW_PARTS = {
    ids.STAND: "_status_line.html",
    ids.LOG_PLACE: "events/_position.html",
    ids.LOG_NOTE: "events/_note.html",
    ids.LOG_WINDOW: "events/_window.html",
}
HITS_PARTS = {ids.LOG_FOUND: "events/_found.html", ids.LOG_HITS: "events/_hits.html"}


@blueprint.get("/tasks/<task_id>/log")
@needs("read")
async def show(task_id: str) -> Response | Redirect:
    query = msgspec.structs.replace(log_query(query_as(LogFilters, form=True)), rows=True)
    if log_filters(query):
        return await _found(task_id, query)
    place = LogPlace(
        before=_seq("before", 1),
        after=_seq("after", 0),
        around=_seq("around", 1),
        heartbeats=flag_parameter("heartbeats"),
    )
    part = choice_parameter("part", "rows", "frames")
    if part == "rows":
        return await _rows(task_id, place)
    jump = Jump(
        failure_after=_seq("failure_after", 0), failure_before=_seq("failure_before", 0), at=time_of_viewer("at")
    )
    async with store().read() as view:
        latest = (await view.head(task_id)).latest_seq
        here = bool(place) or part == "frames"
        seq = None if here else await jump.aim(view, task_id)
    if here:
        return await _window(task_id, place, jump)
    return redirect(path_around(task_id, seq) if seq else _end(task_id, jump, latest))


@blueprint.get("/tasks/<task_id>/events/<int:seq>")
@needs("read")
async def event(task_id: str, seq: int) -> Redirect:
    """Redirect to the log around one event."""
    async with store().glance() as view:
        await view.head(task_id)
    return redirect(path_around(task_id, seq))


def path_around(task_id: str, seq: int) -> str:
    """Return the address of the log around an event."""
    place = urlencode({"around": seq, **_kept()})
    return at_root(f"/tasks/{task_id}/log?{place}#e{seq}")


def _kept() -> dict[str, str]:
    """Return the parameters of the request that its redirects keep."""
    return {name: value for name in ("identity", "heartbeats") if (value := request.args.get(name))}


def _end(task_id: str, jump: Jump, latest: int) -> str:
    """Return the address of the end of the log, or of the start of a jump that found no event."""
    began = jump.failure_after or jump.failure_before or 0
    place = {"around": began} if 0 < began <= latest else {"after": newest(latest)}
    failure = {"failure_after": jump.failure_after, "failure_before": jump.failure_before}
    asked = {**failure, "at": jump.at, **_kept()}
    return at_root(f"/tasks/{task_id}/log?" + urlencode({k: v for k, v in (asked | place).items() if v is not None}))


def _seq(name: str, low: int) -> int | None:
    seq = int_parameter(name, -1, low, MAX_SEQ)
    return None if seq < 0 else seq


async def _rows(task_id: str, place: LogPlace) -> Response:
    async with store().read() as view:
        seen = await place.window(view, task_id)
    return html(fragments().log_window(seen))


async def _window(task_id: str, place: LogPlace, jump: Jump) -> Response:
    values = {"query": LogQuery()}
    page = LivePage(
        "events/index.html",
        WINDOW_PARTS,
        lambda view: log_page_view(view, task_id, place, jump),
        lambda _: values,
        parameters=[
            *place.parameters,
            ("failure_after", jump.failure_after),
            ("failure_before", jump.failure_before),
            ("at", jump.at),
        ],
    )
    return await page_response(task_id, page)


async def _found(task_id: str, query: LogQuery) -> Response:
    after = int_parameter("after", 0, 0, MAX_SEQ)
    values = {"query": query, "address": at_root(f"/tasks/{task_id}/log?{log_filters(query)}")}
    page = LivePage(
        "events/hits.html",
        HITS_PARTS,
        lambda view: hits_view(view, task_id, query, after=after),
        lambda _: values,
        parameters=[*log_fields(query), ("after", after or None)],
    )
    return await page_response(task_id, page)

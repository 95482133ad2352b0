"""The log of a task: a stretch of it, what is found in it, and ways to one event."""

from __future__ import annotations

from quart import Blueprint, Response, redirect, request
from werkzeug.wrappers import Response as Redirect

from store import LogQuery
from webapp import ids
from webapp.api import store
from webapp.auth.access import needs
from webapp.contexts import hits_view, log_window
from webapp.logquery import log_filters
from webapp.pages.living import LivingPage, answer
from webapp.pages.tasks import fragments, html, layout
from webapp.params import MAX_SEQ, instant, log_query, whole

blueprint = Blueprint("log", __name__)

FOUND = {ids.LOG_FOUND: "events/_found.html", ids.LOG_HITS: "events/_hits.html"}


@blueprint.get("/tasks/<task_id>/log")
@needs("read")
async def show(task_id: str) -> Response | Redirect:
    query = log_query()
    if log_filters(query):
        return await _found(task_id, query)
    failure_after, at = whole("failure_after", -1, 0, MAX_SEQ), instant("at")
    if failure_after >= 0 or at:
        return await _jump(task_id, failure_after, at)
    before = whole("before", 0, 1, MAX_SEQ) or None
    after = whole("after", -1, 0, MAX_SEQ)
    around = whole("around", 0, 1, MAX_SEQ) or None
    return await _stretch(task_id, before=before, after=None if after < 0 else after, around=around)


@blueprint.get("/tasks/<task_id>/events/<int:seq>")
@needs("read")
async def event(task_id: str, seq: int) -> Redirect:
    """A short way to one event, wherever in the log it stands."""
    async with store().glance() as view:
        await view.head(task_id)
    return redirect(place(task_id, seq))


def place(task_id: str, seq: int) -> str:
    """The address of an event amid its neighbours."""
    return f"/tasks/{task_id}/log?around={seq}#e{seq}"


async def _stretch(
    task_id: str,
    *,
    note: str = "",
    before: int | None = None,
    after: int | None = None,
    around: int | None = None,
) -> Response:
    async with store().read() as view:
        seen = await log_window(view, task_id, before=before, after=after, around=around)
    if request.args.get("part") == "rows":
        return html(fragments().log_window(seen))
    return html(fragments().log_page(seen, note=note, **await layout()))


async def _found(task_id: str, query: LogQuery) -> Response:
    after = whole("after", 0, 0, MAX_SEQ)
    values = {"query": query, "address": f"/tasks/{task_id}/log?{log_filters(query)}"}
    page = LivingPage(
        "events/hits.html", FOUND, lambda view: hits_view(view, task_id, query, after=after), lambda _: values
    )
    return await answer(task_id, page)


async def _jump(task_id: str, failure_after: int, at: str | None) -> Response | Redirect:
    async with store().read() as view:
        await view.task(task_id)
        if at:
            seq = await view.first_seq_at(task_id, at)
        else:
            seq = await view.next_failure(task_id, failure_after)
    if seq is not None:
        return redirect(place(task_id, seq))
    if at:
        return await _stretch(task_id, note="Nothing was said then or later. This is the end of the log.")
    if failure_after:
        return await _stretch(task_id, note=f"No failure after #{failure_after}.", around=failure_after)
    return await _stretch(task_id, note="No failure in this log.")

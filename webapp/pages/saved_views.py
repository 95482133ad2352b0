"""Forms for saved views, which are named filters of the task list or of the search over all runs."""

from __future__ import annotations

from quart import Blueprint, redirect, request
from werkzeug.wrappers import Response as Redirect

from signalbox.webapp.acts.user_actions import delete_view, redirect_back, save_view
from signalbox.webapp.auth.access import needs
from signalbox.webapp.http.params import MAX_SEQ
from signalbox.webapp.http.root_path import at_root
from signalbox.webapp.views.list_query import checked_filters
from signalbox.webapp.views.search_query import SAVED_PREFIX, checked_search

blueprint = Blueprint("views", __name__, url_prefix="/views")


@blueprint.post("")
@needs("respond")
async def create() -> Redirect:
    form = await request.form
    name, filters = form.get("name", "").strip(), form.get("filters", "")
    if filters.startswith(SAVED_PREFIX):
        search = await save_view(name, checked_search(filters.removeprefix(SAVED_PREFIX)), prefix=SAVED_PREFIX)
        return redirect(at_root(f"/{search.filters}"), 303)
    saved = await save_view(name, checked_filters(filters))
    return redirect(at_root(f"/tasks?{saved.filters}"), 303)


@blueprint.post(f"/<int(max={MAX_SEQ}):view_id>/delete")
@needs("respond")
async def delete(view_id: int) -> Redirect:
    await delete_view(view_id)
    return redirect_back(at_root("/tasks"))

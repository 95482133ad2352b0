"""The page of the search over all runs."""

from __future__ import annotations

import msgspec
from quart import Blueprint, Response

from signalbox.webapp.auth.access import needs
from signalbox.webapp.auth.guard import answerable_projects, visible_projects
from signalbox.webapp.current import fragments, settings, store
from signalbox.webapp.http.query_parameters import query_as
from signalbox.webapp.pages.responses import html, layout
from signalbox.webapp.pages.viewer_zone import day_of_viewer
from signalbox.webapp.views.search import search_view
from signalbox.webapp.views.search_query import SearchFilters, search_query

blueprint = Blueprint("search", __name__)


@blueprint.get("/search")
@needs("read")
async def index() -> Response:
    query = search_query(query_as(SearchFilters, form=True), visible_projects())
    since, until = day_of_viewer("since", query.since), day_of_viewer("until", query.until)
    query = msgspec.structs.replace(query, text=query.text.strip(), since=since, until=until)
    async with store().read() as view:
        manages, wants_index = answerable_projects() != (), settings().search_index
        seen = await search_view(view, query, manages=manages, wants_index=wants_index)
    return html(fragments().plain_page("search/index.html", await layout(), place="search", view=seen))

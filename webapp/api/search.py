"""`/api/search`: the search over the logs of all tasks."""

from __future__ import annotations

import asyncio

import msgspec
from quart import Blueprint

from signalbox.store import Event
from signalbox.store.search import MIN_TEXT_CHARS, SearchHit, SearchPage
from signalbox.store.state import Status
from signalbox.webapp.auth.access import needs
from signalbox.webapp.auth.guard import visible_projects
from signalbox.webapp.current import store
from signalbox.webapp.http.bad_request import BadRequest
from signalbox.webapp.http.endpoint import Result, endpoint
from signalbox.webapp.http.root_path import next_page
from signalbox.webapp.views.search import COUNT_LIMIT, snippet_of_event
from signalbox.webapp.views.search_query import SearchFilters, search_query

blueprint = Blueprint("api_search", __name__, url_prefix="/api/search")


class MatchResponse(msgspec.Struct, kw_only=True):
    """An event that was found, with facts of its task.

    `snippet` is the piece of its text around the first match, in parts: every second part, beginning with the second
    one, is a match.
    """

    event: Event
    identity: str
    title: str | None
    kind: str | None
    project_id: str
    status: Status
    snippet: list[str]


class CountsResponse(msgspec.Struct, kw_only=True):
    """The numbers of matches with all filters, in total and by facts of their tasks, the largest first.

    No number exceeds 1,000, which means as many or more. With `more`, only the newest matches were counted, so there
    may be more of each. `periods` are the matches of the last hour, 24 hours, 7 days and 30 days.
    """

    total: int
    kinds: dict[str, int]
    projects: dict[str, int]
    statuses: dict[str, int]
    periods: dict[str, int]
    more: bool


class IndexResponse(msgspec.Struct, kw_only=True):
    """How far the index is. With `found_all` false, events after `indexed_until` may be missing from the matches.

    `behind` is the number of events that are not indexed yet. `problem` says why there is no index;
    without one, searches are slower.
    """

    on: bool
    found_all: bool
    behind: int
    indexed_until: str
    problem: str


class SearchResponse(msgspec.Struct, kw_only=True):
    """A page of matches, the newest first.

    `older` and `newer` are the parameters `before` and `after` of the neighbouring pages, or null. If `reached` is not
    null, the search took too long: the page has the matches up to that time, and `older` or `newer` continues. `unread`
    is the number of tasks in cold storage whose files could not be read.
    """

    matches: list[MatchResponse]
    older: int | None
    newer: int | None
    reached: str | None
    unread: int
    counts: CountsResponse
    index: IndexResponse


@blueprint.get("")
@needs("read")
@endpoint("Search the logs of all tasks, the newest matches first.", pages=True)
async def index(query: SearchFilters) -> Result[SearchResponse]:
    """Searched are messages, errors and titles of events, ignoring case. Without a filter, all events are found."""
    wanted = search_query(query, visible_projects())
    if wanted.is_too_short:
        raise BadRequest(f"q must have at least {MIN_TEXT_CHARS} characters, not {len(wanted.text)}", "q")
    async with store().read() as view:
        page = await view.search_all(wanted)
    following = next_page(before=page.older, limit=query.limit) if page.older is not None else None
    # In a thread, because the texts of a page may have millions of characters.
    return Result(await asyncio.to_thread(_response, page, wanted.text), next=following)


def _response(page: SearchPage, text: str) -> SearchResponse:
    counts, index = page.counts, page.index
    return SearchResponse(
        matches=[_match(hit, text) for hit in page.hits],
        older=page.older,
        newer=page.newer,
        reached=page.reached,
        unread=page.unread,
        counts=CountsResponse(
            total=min(counts.total, COUNT_LIMIT),
            kinds=_limited(counts.kinds),
            projects=_limited(counts.projects),
            statuses=_limited(counts.statuses),
            periods=_limited(counts.periods),
            more=counts.more,
        ),
        index=IndexResponse(
            on=index.on,
            found_all=index.found_all,
            behind=index.behind,
            indexed_until=index.indexed_until,
            problem=index.problem,
        ),
    )


def _match(hit: SearchHit, text: str) -> MatchResponse:
    return MatchResponse(
        event=hit.event,
        identity=hit.identity,
        title=hit.title,
        kind=hit.kind,
        project_id=hit.project_id,
        status=hit.status,  # type: ignore[arg-type]
        snippet=list(snippet_of_event(hit.event, text).parts),
    )


def _limited(counts: dict[str, int]) -> dict[str, int]:
    return {name: min(number, COUNT_LIMIT) for name, number in counts.items()}

"""SearchQuery as the query string of an address, for links, forms and saved searches."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import parse_qsl, urlencode

import msgspec
from msgspec import Meta

from signalbox.store.search import SearchQuery
from signalbox.store.state import STATUSES, Status
from signalbox.store.task_query import RELATIVE_TIME_PATTERN
from signalbox.webapp.http.bad_request import BadRequest
from signalbox.webapp.http.params import MAX_SEQ, parse_time_bound

SAVED_PREFIX = "search?"
"""Begins the filters of a saved view that is a search and not a view of the task list."""

MAX_FILTER_CHARS = 256
Filter = Annotated[str, Meta(max_length=MAX_FILTER_CHARS)]
_WHEN: dict[str, Any] = {
    "anyOf": [{"type": "string", "format": "date-time"}, {"type": "string", "pattern": RELATIVE_TIME_PATTERN}]
}


def _bound(about: str) -> Any:
    return Meta(description=about, extra_json_schema=_WHEN, extra={"read": parse_time_bound})


class SearchFilters(msgspec.Struct, frozen=True, kw_only=True):
    """The filters of a search over all tasks, as parameters. An empty filter excludes no event."""

    q: Annotated[
        Filter,
        Meta(
            description="Only events with this in their message, error or title: at least three characters.",
            extra_json_schema={"pattern": r"^(?:[\s\S]{3,})?$"},
        ),
    ] = ""
    type: Annotated[Filter, Meta(description="Only events of this type.")] = ""
    phase: Annotated[Filter, Meta(description="Only events of this phase.")] = ""
    actor: Annotated[Filter, Meta(description="Only events of this actor.")] = ""
    level: Annotated[Filter, Meta(description="Only events with this level in their payload.")] = ""
    stream: Annotated[Filter, Meta(description="Only output of this stream: stdout or stderr.")] = ""
    failed: Annotated[bool, Meta(description="1: only failures.")] = False
    kind: Annotated[Filter, Meta(description="Only events of tasks of this kind.")] = ""
    project: Annotated[Filter, Meta(description="Only events of tasks in the project with this id.")] = ""
    status: Annotated[
        tuple[Status, ...],
        Meta(description="Only events of tasks of this status; may be repeated, or several with commas between them."),
    ] = ()
    since: Annotated[
        str | None, _bound("Only events that happened since then: a time, or an age such as 30m, 24h or 7d.")
    ] = None
    until: Annotated[str | None, _bound("Only events that happened before then, in the same form.")] = None
    before: Annotated[
        Annotated[int, Meta(ge=1, le=MAX_SEQ)] | None,
        Meta(description="Only matches with a lower event id: the `older` of the previous page."),
    ] = None
    after: Annotated[
        Annotated[int, Meta(ge=0, le=MAX_SEQ)] | None,
        Meta(description="Only matches with a higher event id: the `newer` of a page. Ignored with `before`."),
    ] = None
    limit: Annotated[int, Meta(ge=1, le=200, description="The maximum number of matches.")] = 50


def search_query(given: SearchFilters, projects: tuple[str, ...] | None) -> SearchQuery:
    """Return the SearchQuery of an address, for tasks in `projects` (None for all)."""
    return SearchQuery(
        text=given.q,
        event_type=given.type.strip(),
        phase=given.phase.strip(),
        actor=given.actor.strip(),
        level=given.level.strip(),
        stream=given.stream.strip(),
        failures=given.failed,
        kind=given.kind,
        project=given.project,
        statuses=tuple(word for word in STATUSES if word in given.status),
        since=given.since,
        until=given.until,
        projects=projects,
        before=given.before,
        after=given.after if given.before is None else None,
        limit=given.limit,
    )


def search_fields(query: SearchQuery, *without: str) -> list[tuple[str, str]]:
    """Return the fields of `query` as a form sends them, except those in `without` and the page."""
    fields = [
        ("q", query.text),
        ("type", query.event_type),
        ("phase", query.phase),
        ("actor", query.actor),
        ("level", query.level),
        ("stream", query.stream),
        ("failed", "1" if query.failures else ""),
        ("kind", query.kind),
        ("project", query.project),
        *(("status", status) for status in query.statuses),
        ("since", query.since or ""),
        ("until", query.until or ""),
    ]
    return [(name, value) for name, value in fields if value and name not in without]


def search_url(query: SearchQuery, **changes: Any) -> str:
    """Return the address of the page for `query` with some fields changed. Only a changed cursor is kept."""
    query = msgspec.structs.replace(query, **changes)
    page = [(name, str(changes[name])) for name in ("before", "after") if changes.get(name) is not None]
    fields = urlencode([*search_fields(query), *page])
    return f"/search?{fields}" if fields else "/search"


def search_filters(query: SearchQuery) -> str:
    """Return the query string of `query`, without `?` and without a cursor."""
    return urlencode(search_fields(query))


def checked_search(text: str) -> str:
    """Return the query string of a search, normalised for a saved view and without a cursor. Raises BadRequest."""
    allowed = [name for name in SearchFilters.__struct_fields__ if name not in ("before", "after", "limit")]
    fields = [(name, value) for name, value in parse_qsl(text) if name not in ("before", "after", "limit")]
    for name, _ in fields:
        if name not in allowed:
            raise BadRequest(f"a search may have {', '.join(allowed)}, not {name[:40]!r}", "filters")
    return urlencode(fields)

"""TaskQuery as the query string of an address, for links, forms and saved views."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any
from urllib.parse import parse_qsl, urlencode

import msgspec
from msgspec import Meta

from signalbox.store import InvalidEvent, Sort, TaskQuery
from signalbox.store.diagnosis.fingerprint import FINGERPRINT_PATTERN, is_fingerprint
from signalbox.store.state import STATUSES, Status
from signalbox.store.tags import TAG_PATTERN, tag_of
from signalbox.store.task_query import (
    CURSOR_PATTERN,
    MAX_CURSOR_CHARS,
    RELATIVE_TIME_PATTERN,
    cursor_parts,
    relative_seconds,
)
from signalbox.webapp.http.bad_request import BadRequest
from signalbox.webapp.http.params import parse_time_bound
from signalbox.webapp.views.text import moment

FIELDS = (
    "status",
    "q",
    "kind",
    "error",
    "project",
    "tag",
    "created_since",
    "created_until",
    "stale",
    "archived",
    "sort",
)
"""The filters and the order, as parameters."""

AGES = {"1h": "last hour", "24h": "last 24 hours", "7d": "last 7 days", "30d": "last 30 days"}
"""The ages that the list offers as a filter."""

VIEWS = {
    "Needs attention": TaskQuery(statuses=("waiting", "failed", "interrupted")),
    "Running": TaskQuery(statuses=("running",)),
    "Last 24 hours": TaskQuery(since="24h"),
}
"""The built-in views of the list."""

MAX_FILTER_CHARS = 256
Text = Annotated[str, Meta(max_length=MAX_FILTER_CHARS)]
_WHEN: dict[str, Any] = {
    "anyOf": [{"type": "string", "format": "date-time"}, {"type": "string", "pattern": RELATIVE_TIME_PATTERN}]
}


def _bound(about: str) -> Any:
    return Meta(description=about, extra_json_schema=_WHEN, extra={"read": parse_time_bound})


MAX_TAG_FILTERS = 10
Tags = Annotated[
    tuple[Annotated[str, Meta(extra_json_schema={"pattern": TAG_PATTERN})], ...],
    Meta(
        description="Only tasks with this tag, as NAME=VALUE; may be repeated, for tasks that have all of them.",
        extra_json_schema={"maxItems": MAX_TAG_FILTERS},
    ),
]
"""The filter by tags, as a parameter."""


def tag_pairs(texts: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """Return the tags of a filter, sorted, so that equal filters make equal queries. Raises BadRequest."""
    try:
        found = {tag_of(text) for text in texts}
    except InvalidEvent as error:
        raise BadRequest(str(error), "tag") from None
    if len(found) > MAX_TAG_FILTERS:
        raise BadRequest(f"tag may be given at most {MAX_TAG_FILTERS} times, not {len(found)}", "tag")
    return tuple(sorted(found))


def _parse_fingerprint(name: str, text: str) -> str:
    if text and not is_fingerprint(text):
        raise BadRequest(f"{name} must be a fingerprint: 16 hexadecimal digits, not {text[:40]!r}", name)
    return text


_ERROR = Meta(
    description="Only runs that failed with the error that has this `fingerprint`.",
    extra_json_schema={"type": "string", "pattern": f"^(?:{FINGERPRINT_PATTERN[1:-1]})?$"},
    extra={"read": _parse_fingerprint},
)


class ListFilters(msgspec.Struct, frozen=True, kw_only=True):
    """The filters and the order of a list of tasks, as parameters. An empty filter excludes no task."""

    status: Annotated[
        tuple[Status, ...],
        Meta(description="Only tasks of this status; may be repeated, or several with commas between them."),
    ] = ()
    q: Annotated[Text, Meta(description="Only tasks whose id, title or kind contains this.")] = ""
    kind: Annotated[Text, Meta(description="Only tasks of this kind.")] = ""
    error: Annotated[str, _ERROR] = ""
    project: Annotated[Text, Meta(description="Only tasks of the project with this id.")] = ""
    tag: Tags = ()
    created_since: Annotated[
        str | None, _bound("Only tasks created since then: a time, or an age such as 30m, 24h or 7d.")
    ] = None
    created_until: Annotated[str | None, _bound("Only tasks created before then, in the same form.")] = None
    stale: Annotated[bool, Meta(description="1: only runs that are marked stale.")] = False
    archived: Annotated[bool, Meta(description="1: archived tasks instead of the others.")] = False
    sort: Annotated[Sort, Meta(description="The order.")] = "newest"
    cursor: Annotated[
        Annotated[str, Meta(max_length=MAX_CURSOR_CHARS)],
        Meta(description="The `next_cursor` of the previous page.", extra_json_schema={"pattern": CURSOR_PATTERN}),
    ] = ""
    limit: Annotated[int, Meta(ge=1, le=500, description="The maximum number of items.")] = 50


def task_query(given: ListFilters, projects: tuple[str, ...] | None) -> TaskQuery:
    """Return the TaskQuery of an address, for tasks in `projects` (None for all). Raises InvalidEvent or Conflict."""
    if given.cursor:
        cursor_parts(given.cursor, given.sort)
    return TaskQuery(
        # Sorted, so that equal filters make equal queries.
        statuses=tuple(word for word in STATUSES if word in given.status),
        projects=projects,
        project=given.project or None,
        text=given.q,
        kind=given.kind or None,
        fingerprint=given.error or None,
        tags=tag_pairs(given.tag),
        since=given.created_since,
        until=given.created_until,
        stale=given.stale,
        archived=given.archived,
        sort=given.sort,
        before=given.cursor or None,
        limit=given.limit,
    )


class KindFilters(msgspec.Struct, frozen=True, kw_only=True):
    """Which runs of a kind to read, as parameters."""

    project: Annotated[Text, Meta(description="Only runs of the project with this id.")] = ""
    tag: Tags = ()


class KindsPage(msgspec.Struct, frozen=True, kw_only=True):
    """Which kinds to read, as parameters."""

    after: Annotated[
        Annotated[str, Meta(max_length=MAX_FILTER_CHARS)], Meta(description="The last kind of the previous page.")
    ] = ""


ORDERS: dict[Sort, str] = {
    "newest": "newest first",
    "oldest": "oldest first",
    "active": "last event first",
    "longest": "longest first, ended runs only",
}


def list_fields(query: TaskQuery, *without: str) -> list[tuple[str, str]]:
    """Return the fields of `query` as a form sends them, except those in `without` and the cursor."""
    fields = [("status", status) for status in query.statuses]
    fields += [
        ("q", query.text),
        ("kind", query.kind or ""),
        ("error", query.fingerprint or ""),
        ("project", query.project or ""),
        *(("tag", f"{name}={value}") for name, value in query.tags),
        ("created_since", query.since or ""),
        ("created_until", query.until or ""),
        ("stale", "1" if query.stale else ""),
        ("archived", "1" if query.archived else ""),
        ("sort", query.sort if query.sort != "newest" else ""),
    ]
    return [(name, value) for name, value in fields if value and name not in without]


def page_fields(query: TaskQuery) -> list[tuple[str, str]]:
    """Return the fields of one page of `query`: with its cursor and its limit."""
    cursor = [("cursor", query.before)] if query.before else []
    return [*list_fields(query), *cursor, ("limit", str(query.limit))]


def list_filters(query: TaskQuery) -> str:
    """Return the query string of `query`, without `?`."""
    return urlencode(list_fields(query))


def list_url(query: TaskQuery, **changes: Any) -> str:
    """Return the address of the list for `query` with some fields changed. Only a changed cursor is kept."""
    query = msgspec.structs.replace(query, **changes)
    cursor = [("cursor", changes["before"])] if changes.get("before") else []
    fields = urlencode(list_fields(query) + cursor)
    return f"/tasks?{fields}" if fields else "/tasks"


def checked_filters(text: str) -> str:
    """Return the query string of an address, normalised for a saved view and without a cursor. Raises BadRequest."""
    fields = [(name, value) for name, value in parse_qsl(text) if name != "cursor"]
    for name, _ in fields:
        if name not in FIELDS:
            raise BadRequest(f"filters may have {', '.join(FIELDS)}, not {name[:40]!r}", "filters")
    return urlencode(fields)


def bound(value: str) -> str:
    """Return a time filter as words: last hour, 90m ago, 2026-11-21 14:02:07."""
    if value in AGES:
        return AGES[value]
    return f"{value} ago" if relative_seconds(value) else moment(value)

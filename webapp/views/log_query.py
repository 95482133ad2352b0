"""LogQuery as the query string of an address: `?q=&type=&phase=&actor=&level=&stream=&span=&failed=1`."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from urllib.parse import urlencode

import msgspec
from msgspec import Meta

from signalbox.store import LogQuery

MAX_FILTER_CHARS = 256
Filter = Annotated[str, Meta(max_length=MAX_FILTER_CHARS)]

FILTERS = {
    "q": "text",
    "type": "event_type",
    "phase": "phase",
    "actor": "actor",
    "level": "level",
    "stream": "stream",
    "span": "span_id",
}
"""The parameters, each with its field of LogQuery."""


class LogFilters(msgspec.Struct, frozen=True, kw_only=True):
    """The filters of a log, as parameters. An empty filter excludes no event."""

    q: Annotated[Filter, Meta(description="Only events whose payload or type contains this.")] = ""
    type: Annotated[Filter, Meta(description="Only events of this type.")] = ""
    phase: Annotated[Filter, Meta(description="Only events of this phase.")] = ""
    actor: Annotated[Filter, Meta(description="Only events of this actor.")] = ""
    level: Annotated[Filter, Meta(description="Only events with this level in their payload.")] = ""
    stream: Annotated[Filter, Meta(description="Only output of this stream: stdout or stderr.")] = ""
    span: Annotated[Filter, Meta(description="Only events of this span.")] = ""
    show: Annotated[
        Literal["", "conversation"],
        Meta(description="conversation: only model calls, tool calls and permission requests."),
    ] = ""
    failed: Annotated[bool, Meta(description="1: only failures.")] = False


def log_query(given: LogFilters) -> LogQuery:
    """Return the LogQuery of an address."""
    fields: dict[str, Any] = {field: getattr(given, name).strip() for name, field in FILTERS.items()}
    return LogQuery(**fields, failures=given.failed, conversation=given.show == "conversation")


def log_fields(query: LogQuery) -> list[tuple[str, str]]:
    """Return the parameters of `query`; empty if it excludes no event."""
    named = [(name, getattr(query, field)) for name, field in FILTERS.items()]
    if query.conversation:
        named.append(("show", "conversation"))
    if query.failures:
        named.append(("failed", "1"))
    return [(name, value) for name, value in named if value]


def log_filters(query: LogQuery) -> str:
    """Return the query string of `query`, without `?`."""
    return urlencode(log_fields(query))

"""A LogQuery as an address has it: `?q=&type=&phase=&actor=&level=&stream=&span=&failed=1`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from signalbox.store import LogQuery
from signalbox.webapp.http.bad_request import BadRequest

LONGEST_FILTER = 256

FILTERS = {
    "q": "text",
    "type": "event_type",
    "phase": "phase",
    "actor": "actor",
    "level": "level",
    "stream": "stream",
    "span": "span_id",
}
"""The parameters, and the fields of a LogQuery that they fill."""


def log_query(given: Mapping[str, str]) -> LogQuery:
    """Which events of a log an address asks for. Raises BadRequest for a filter that is too long."""
    texts = {name: given.get(name, "").strip() for name in FILTERS}
    for name, value in texts.items():
        if len(value) > LONGEST_FILTER:
            raise BadRequest(f"{name} must have at most {LONGEST_FILTER} characters, not {len(value)}", name)
    failures = given.get("failed", "") not in ("", "0")
    fields: dict[str, Any] = {FILTERS[name]: value for name, value in texts.items()}
    return LogQuery(**fields, failures=failures)


def log_fields(query: LogQuery) -> list[tuple[str, str]]:
    """The names and values of the parameters that mean `query`; empty if it leaves nothing out."""
    named = [(name, getattr(query, field)) for name, field in FILTERS.items()]
    if query.failures:
        named.append(("failed", "1"))
    return [(name, value) for name, value in named if value]


def log_filters(query: LogQuery) -> str:
    """A query as the parameters of an address."""
    return urlencode(log_fields(query))

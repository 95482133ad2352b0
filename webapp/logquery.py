"""A LogQuery as an address has it: `?q=&type=&phase=&actor=&level=&stream=&span=&failed=1`."""

from __future__ import annotations

from urllib.parse import urlencode

from store import LogQuery

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


def log_fields(query: LogQuery) -> list[tuple[str, str]]:
    """The names and values of the parameters that mean `query`; empty if it leaves nothing out."""
    named = [(name, getattr(query, field)) for name, field in FILTERS.items()]
    if query.failures:
        named.append(("failed", "1"))
    return [(name, value) for name, value in named if value]


def log_filters(query: LogQuery) -> str:
    """A query as the parameters of an address."""
    return urlencode(log_fields(query))

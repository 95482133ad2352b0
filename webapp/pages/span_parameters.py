"""The parameters of the pages of spans, as they are in an address. All raise BadRequest."""

from __future__ import annotations

from typing import Any

from quart import request

from signalbox.webapp.http.bad_request import BadRequest
from signalbox.webapp.http.params import MAX_SEQ, choice_parameter, int_parameter, parameter, parse_float
from signalbox.webapp.views.flame import FlameQuery
from signalbox.webapp.views.span_query import ORDERS, TableQuery
from signalbox.webapp.views.span_references import span_reference
from signalbox.webapp.views.span_times import MAX_SPANS, SPAN_STATES
from signalbox.webapp.views.waterfall_query import CRITICAL_CHOICES, MAX_NAMED_CHARS, WaterfallQuery, named_length

MAX_SECONDS = 1e12
"""More than the years 1 to 9999 have. A run may be that long if a program reports a time without a date."""
MAX_TEXT_CHARS = 300


def table_query() -> TableQuery:
    """Return the parameters of the table of spans."""
    return TableQuery(
        **_page(),
        **_filters(),
        sort=choice_parameter("sort", *ORDERS) or "start",
        parent=_text("parent"),
    )


def waterfall_query() -> WaterfallQuery:
    """Return the parameters of the waterfall."""
    since, until = _seconds("from"), _seconds("to")
    if since is not None and until is not None and since >= until:
        raise BadRequest(f"from must be less than to, not {since:g} and {until:g}", "from")
    return WaterfallQuery(
        **_page(),
        **_filters(),
        since=since,
        until=until,
        slowest=int_parameter("slowest", 0, 0, 1000),
        critical=choice_parameter("critical", *CRITICAL_CHOICES) or "on",
        gaps="open" if choice_parameter("gaps", "folded", "open") == "open" else "",
        open=_names("open"),
        fold=_names("fold"),
        show=_names("show"),
    )


def flame_query() -> FlameQuery:
    """Return the parameters of the flame view."""
    return FlameQuery(
        after=int_parameter("after", 0, 0, MAX_SEQ),
        zoom=_text("zoom"),
        skip=int_parameter("skip", 0, 0, MAX_SPANS),
    )


def _page() -> dict[str, Any]:
    return {"after": int_parameter("after", 0, 0, MAX_SEQ), "row": int_parameter("row", 0, 0, 2 * MAX_SPANS)}


def _filters() -> dict[str, Any]:
    return {"q": _text("q").strip(), "kind": _text("kind"), "state": choice_parameter("state", *SPAN_STATES)}


def _text(name: str) -> str:
    return _checked(name, parameter(name) or "")


def _names(name: str) -> tuple[str, ...]:
    given = (_checked(name, text) for text in request.args.getlist(name) if text)
    names = tuple(dict.fromkeys(map(span_reference, given)))
    if (length := named_length(name, names)) > MAX_NAMED_CHARS:
        message = f"all {name} together must have at most {MAX_NAMED_CHARS} characters in the address, not {length}"
        raise BadRequest(message, name)
    return names


def _checked(name: str, text: str) -> str:
    if len(text) > MAX_TEXT_CHARS:
        raise BadRequest(f"{name} must have at most {MAX_TEXT_CHARS} characters, not {len(text)}", name)
    return text


def _seconds(name: str) -> float | None:
    text = parameter(name)
    return parse_float(name, text, 0, MAX_SECONDS) if text else None

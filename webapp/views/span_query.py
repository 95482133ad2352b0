"""The filters and orders of the pages of spans, and the parameters of their addresses."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields, replace
from typing import Any, Self
from urllib.parse import urlencode

from signalbox.store.state import Span
from signalbox.webapp.views.span_times import SPAN_STATES, SpanForest, TimedSpan

MAX_KINDS = 100
"""How many kinds a page offers as filters."""

DIGITS = 6
"""Digits of the fractions of seconds in an address."""

Order = Callable[[TimedSpan], Any]

ORDERS: dict[str, tuple[str, Order]] = {
    "start": ("Start", lambda timed: (timed.start, timed.span.started_seq)),
    "duration": ("Duration", lambda timed: (-timed.duration, timed.span.started_seq)),
    "self": ("Self time", lambda timed: (-timed.own, timed.span.started_seq)),
    "name": ("Name", lambda timed: (timed.span.name.casefold(), timed.span.started_seq)),
}
"""The orders of the table: for each its label and its sort key. Durations are in descending order."""


@dataclass(frozen=True, kw_only=True)
class PageQuery:
    """The parameters of the address of a page of spans.

    `after` is the seq after which the spans began, for a task with more spans than a page reads. `row` is the number of
    the first row.
    """

    after: int = 0
    row: int = 0

    @property
    def parameters(self) -> list[tuple[str, object]]:
        """The parameters of this query, without those that have their default."""
        found: list[tuple[str, object]] = []
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, tuple):
                found += [(field.name, item) for item in value]
            elif value != field.default:
                found.append((ADDRESS_NAMES.get(field.name, field.name), _text(value)))
        return found

    def but(self, **changes: Any) -> Self:
        """Return the query with some parameters changed, from its first row unless `row` is given."""
        return replace(self, **{"row": 0, **changes})

    def address(self, **changes: Any) -> str:
        """Return the query string of the page with some parameters changed: see `but`."""
        found = self.but(**changes).parameters
        return f"?{urlencode(found)}" if found else ""


ADDRESS_NAMES = {"since": "from", "until": "to"}
"""Parameters whose names are keywords of Python."""


def _text(value: object) -> str:
    return f"{value:.{DIGITS}f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)


@dataclass(frozen=True, kw_only=True)
class SpanQuery(PageQuery):
    """The filters of a page of spans: `q` is a part of the name, `kind` a kind of span or a work type."""

    q: str = ""
    kind: str = ""
    state: str = ""

    @property
    def is_filtered(self) -> bool:
        """Whether some spans are left out."""
        return bool(self.q or self.kind or self.state)

    @property
    def filters(self) -> str:
        """The query string with these filters alone, for another page of the same spans."""
        return SpanQuery(q=self.q, kind=self.kind, state=self.state, after=self.after).address()

    @property
    def cleared(self) -> str:
        """The query string of this page without these filters."""
        return self.address(q="", kind="", state="")

    def keeps(self, span: Span) -> bool:
        """Return whether the filters keep this span."""
        return (
            (not self.kind or self.kind in (span.kind, span.work_type))
            and (not self.state or span.state == self.state)
            and (not self.q or self.q.casefold() in span.name.casefold())
        )


@dataclass(frozen=True, kw_only=True)
class TableQuery(SpanQuery):
    """The parameters of the table of spans. `parent` is the id of the span whose children it lists."""

    sort: str = "start"
    parent: str = ""

    @property
    def is_filtered(self) -> bool:
        return bool(self.parent) or super().is_filtered

    def chosen(self, forest: SpanForest) -> list[TimedSpan]:
        """Return the spans that the filters keep, in the order of the query."""
        spans: Iterable[TimedSpan] = forest.all
        if self.parent:
            parent = forest.by_id.get(self.parent)
            spans = parent.children if parent else []
        if self.is_filtered:
            spans = [timed for timed in spans if self.keeps(timed.span)]
        return sorted(spans, key=ORDERS[self.sort][1])


def kinds_in(forest: SpanForest, chosen: str = "") -> list[str]:
    """Return the kinds and the work types of these spans, which the filter offers; always with the chosen one."""
    kinds = {timed.span.kind for timed in forest.all}
    types = {timed.span.work_type or "" for timed in forest.all if timed.span.kind in ("work_item", "tool", "span")}
    found = sorted(kinds) + sorted(types - kinds - {""})
    found = found[:MAX_KINDS]
    return [*found, chosen] if chosen and chosen not in found else found


def states_in(forest: SpanForest, chosen: str = "") -> list[str]:
    """Return the states of these spans, in the order of SPAN_STATES; always with the chosen one."""
    present = {timed.span.state for timed in forest.all} | {chosen}
    return [state for state in SPAN_STATES if state in present]


def window_of(total: int, row: int, size: int) -> int:
    """Return the first row of a window of `size` rows that has the row `row`, or the last rows if there are fewer."""
    last = max(0, total - 1) // size * size
    return min(row, last)

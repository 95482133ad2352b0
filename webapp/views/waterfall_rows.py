"""The rows of the waterfall: the span tree with its filters, its groups and its folds."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple

from signalbox.webapp.views.span_groups import SpanGroup, grouped
from signalbox.webapp.views.span_times import SpanForest, TimedSpan
from signalbox.webapp.views.waterfall_query import WaterfallQuery


class WaterfallRow(NamedTuple):
    """A row: a span, or a group of similar siblings.

    `folds` says whether the row has rows below it that it can hide, and `is_closed` whether it hides them. A row with
    `is_context` is there only because a span below it is. `opened` has the names by which the query opens a group.
    """

    depth: int
    span: TimedSpan | None = None
    group: SpanGroup | None = None
    folds: bool = False
    is_closed: bool = False
    is_context: bool = False
    opened: Sequence[str] = ()


def rows_of(forest: SpanForest, query: WaterfallQuery, critical: Collection[str]) -> list[WaterfallRow]:
    """Return all rows, parents above their children."""
    wanted = wanted_spans(forest, query, critical)
    shown = None if wanted is None else _with_ancestors(wanted)
    rows: list[WaterfallRow] = []
    waiting: list[WaterfallRow] = []

    def add(siblings: Sequence[TimedSpan], depth: int) -> None:
        kept = siblings if shown is None else [timed for timed in siblings if id(timed) in shown]
        for item in reversed(grouped(kept)):
            if isinstance(item, SpanGroup):
                opened = item.named(query.open) if query.open else []
                waiting.append(WaterfallRow(depth, group=item, folds=True, is_closed=not opened, opened=opened))
            else:
                waiting.append(span_row(item, depth))

    def span_row(timed: TimedSpan, depth: int) -> WaterfallRow:
        below = timed.children if shown is None else [child for child in timed.children if id(child) in shown]
        context = wanted is not None and id(timed) not in wanted
        return WaterfallRow(depth, timed, None, bool(below), query.folds(timed.span.span_id) and bool(below), context)

    add(forest.roots, 0)
    while waiting:
        row = waiting.pop()
        rows.append(row)
        if row.group:
            members = row.group.notable if row.is_closed else row.group.members
            waiting.extend(span_row(timed, row.depth + 1) for timed in reversed(members))
        elif row.span and row.folds and not row.is_closed:
            add(row.span.children, row.depth + 1)
    return rows


def wanted_spans(forest: SpanForest, query: WaterfallQuery, critical: Collection[str]) -> dict[int, TimedSpan] | None:
    """Return the spans that the query asks for, by the id of the object; None if it asks for all."""
    spans = forest.all
    if not (query.is_filtered or query.is_zoomed or query.slowest or query.critical == "only"):
        return None
    if query.is_filtered:
        spans = [timed for timed in spans if query.keeps(timed.span)]
    if query.is_zoomed:
        since, until = query.since or 0.0, forest.length if query.until is None else query.until
        spans = [timed for timed in spans if timed.start <= until and timed.end >= since]
    if query.critical == "only":
        spans = [timed for timed in spans if timed.span.span_id in critical]
    if query.slowest:
        spans = sorted(spans, key=lambda timed: (-timed.own, timed.span.started_seq))[: query.slowest]
    return {id(timed): timed for timed in spans}


def context_of(rows: Sequence[WaterfallRow], first: int, limit: int) -> list[WaterfallRow]:
    """Return the rows that are the ancestors of the row `first`, for a page that begins in the middle of the tree.

    Of more than `limit` ancestors these are the nearest ones.
    """
    found: list[WaterfallRow] = []
    depth = rows[first].depth if first < len(rows) else 0
    for row in (rows[number] for number in range(first - 1, -1, -1)):
        if row.depth < depth:
            found.append(row._replace(is_context=True))
            depth = row.depth
        if not depth or len(found) == limit:
            break
    return found[::-1]


def _with_ancestors(wanted: dict[int, TimedSpan]) -> set[int]:
    shown: set[int] = set()
    for timed in wanted.values():
        above: TimedSpan | None = timed
        while above is not None and id(above) not in shown:
            shown.add(id(above))
            above = above.parent
    return shown

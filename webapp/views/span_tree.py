"""The span tree as lines: parents above their children, open siblings first."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from signalbox.store.state import Span


class SpanLine(NamedTuple):
    """One line of the tree; `depth` is 0 for a span without a known parent."""

    span: Span
    depth: int


def lines(spans: Iterable[Span], *, open_first: bool = True) -> list[SpanLine]:
    """Return all `spans` in pre-order. Without `open_first`, siblings are in the order of their start.

    If spans are each other's ancestors, one of them becomes a root.
    """
    ordered = sorted(spans, key=lambda span: (open_first and span.state != "open", span.started_seq))
    known = {span.span_id for span in ordered}
    children: dict[str | None, list[Span]] = {}
    for span in ordered:
        parent = span.parent_span_id if span.parent_span_id in known else None
        children.setdefault(parent, []).append(span)
    found: list[SpanLine] = []
    seen: set[str] = set()
    for root in [*children.get(None, []), *ordered]:
        waiting = [SpanLine(root, 0)]
        while waiting:
            line = waiting.pop()
            span, depth = line
            if span.span_id in seen:
                continue
            seen.add(span.span_id)
            found.append(line)
            waiting += [SpanLine(child, depth + 1) for child in reversed(children.get(span.span_id, []))]
    return found

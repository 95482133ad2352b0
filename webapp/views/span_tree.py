"""The span tree as lines: parents above their children, open siblings first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from signalbox.store.contract.reading.spans import MAX_COUNTED
from signalbox.store.span_pages import order_of_start
from signalbox.store.state import Span


class SpanLine(NamedTuple):
    """One line of the tree; `depth` is 0 for a span without a known parent.

    With `more`, the line stands for this many children of `span` that are left out, or for more of them if `or_more`.
    """

    span: Span
    depth: int
    more: int = 0
    or_more: bool = False


def lines(spans: Iterable[Span], *, open_first: bool = True) -> list[SpanLine]:
    """Return all `spans` in pre-order. Without `open_first`, siblings are in the order of their start.

    If spans are each other's ancestors, one of them becomes a root.
    """
    ordered = sorted(
        spans, key=lambda span: (open_first and span.state != "open", span.started_at, *order_of_start(span))
    )
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
            span, depth = line.span, line.depth
            if span.span_id in seen:
                continue
            seen.add(span.span_id)
            found.append(line)
            waiting += [SpanLine(child, depth + 1) for child in reversed(children.get(span.span_id, []))]
    return found


def with_omitted(tree: Sequence[SpanLine], child_counts: Mapping[str, int]) -> list[SpanLine]:
    """Return the lines, with a line below the children of each span of which some children are left out.

    `child_counts` has the number of children of each span.
    """
    shown = Counter(line.span.parent_span_id for line in tree)
    found: list[SpanLine] = []
    above: list[SpanLine] = []

    def close(depth: int) -> None:
        while above and above[-1].depth >= depth:
            parent = above.pop()
            total = child_counts.get(parent.span.span_id, 0)
            omitted = total - shown[parent.span.span_id]
            if omitted > 0:
                found.append(SpanLine(parent.span, parent.depth + 1, omitted, total >= MAX_COUNTED))

    for line in tree:
        close(line.depth)
        found.append(line)
        above.append(line)
    close(0)
    return found

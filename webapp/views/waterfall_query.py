"""The parameters of the waterfall: filters, zoom, and the rows that the reader opened or folded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from signalbox.webapp.views.span_query import SpanQuery
from signalbox.webapp.views.span_references import encoded_length, span_reference

MAX_NAMED_CHARS = 1200
"""The characters of the rows that an address can name as opened, and as many as folded and as shown, percent-encoded.
Each of the hundreds of links of a page repeats them."""

SLOWEST = 10

CRITICAL_CHOICES = ("on", "only", "off")


@dataclass(frozen=True, kw_only=True)
class WaterfallQuery(SpanQuery):
    """The parameters of the waterfall.

    `since` and `until` are the seconds to which it is zoomed. `slowest` keeps this many spans, those with the most self
    time. `critical` says whether the critical path is marked, or is all that is shown. `open` are the references of
    groups that are open, `fold` those of spans whose subtree is hidden, and `show` those of spans whose details are
    shown: see `span_reference`.
    """

    since: float | None = None
    until: float | None = None
    slowest: int = 0
    critical: str = "on"
    gaps: str = ""
    open: tuple[str, ...] = ()
    fold: tuple[str, ...] = ()
    show: tuple[str, ...] = ()

    @property
    def is_zoomed(self) -> bool:
        """Whether the axis shows a part of the time."""
        return self.since is not None or self.until is not None

    def folds(self, span_id: str) -> bool:
        """Return whether the subtree of a span is hidden."""
        return bool(self.fold) and span_reference(span_id) in self.fold

    def shows(self, span_id: str) -> bool:
        """Return whether the details of a span are shown."""
        return bool(self.show) and span_reference(span_id) in self.show

    def toggled(self, field: str, *span_ids: str) -> str:
        """Return the query string in which these spans are added to `open`, `fold` or `show`, or removed from it.

        If there is no room for all, those that were added first are left out.
        """
        names: tuple[str, ...] = getattr(self, field)
        changing = tuple(map(span_reference, span_ids))
        kept = tuple(one for one in names if one not in changing)
        changed = kept if len(kept) < len(names) else (*names, *changing)
        while named_length(field, changed) > MAX_NAMED_CHARS:
            changed = changed[1:]
        return self.address(row=self.row, **{field: changed})


def named_length(field: str, names: Sequence[str]) -> int:
    """Return the number of characters of these names in an address."""
    return sum(len(field) + 2 + encoded_length(name) for name in names)

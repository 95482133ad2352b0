"""The parameters of the waterfall: filters, zoom, and the rows that the reader opened or folded."""

from __future__ import annotations

from dataclasses import dataclass

from signalbox.webapp.views.span_query import SpanQuery

MAX_NAMED = 100
"""How many rows an address can name as opened, folded or shown."""

SLOWEST = 10

CRITICAL_CHOICES = ("on", "only", "off")


@dataclass(frozen=True, kw_only=True)
class WaterfallQuery(SpanQuery):
    """The parameters of the waterfall.

    `since` and `until` are the seconds to which it is zoomed. `slowest` keeps this many spans, those with the most self
    time. `critical` says whether the critical path is marked, or is all that is shown. `open` are the keys of groups
    that are open, `fold` the ids of spans whose subtree is hidden, and `show` those of spans whose details are shown.
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

    def toggled(self, field: str, *changing: str) -> str:
        """Return the query string in which these names are added to `open`, `fold` or `show`, or removed from it."""
        names: tuple[str, ...] = getattr(self, field)
        kept = tuple(one for one in names if one not in changing)
        changed = kept if len(kept) < len(names) else (*names, *changing)[-MAX_NAMED:]
        return self.address(row=self.row, **{field: changed})

"""Reads of the spans of one task."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Protocol

from signalbox.store.state import Span

MAX_ANCESTORS = 200
"""A window has at most this many spans more than its limits: see `TaskSpanReading.span_window`."""


MAX_COUNTED = 1000
"""A span with at least this many children counts as having this many: see `TaskSpanReading.child_counts`."""


class TaskSpanReading(Protocol):
    """Reads of the spans of one task. Lists are in the order in which the spans began: `span_pages.order_of_start`."""

    async def spans(self, task_id: str, after: int = 0, limit: int | None = None) -> list[Span]:
        """Return the first `limit` spans (None: all) that began after the seq `after`."""

    async def span(self, task_id: str, span_id: str) -> Span | None:
        """Return one span, or None."""

    async def span_children(self, task_id: str, span_id: str, limit: int) -> list[Span]:
        """Return the first `limit` spans whose parent is `span_id`."""

    async def spans_closed_at(self, task_id: str, seq: int, limit: int) -> list[Span]:
        """Return the last `limit` spans that the event with this seq closed."""

    async def child_counts(self, task_id: str, span_ids: Sequence[str]) -> dict[str, int]:
        """Return the number of children of each of these spans, at most MAX_COUNTED, without those that have none."""

    async def spans_changed(self, task_id: str, since_seq: int, limit: int) -> list[Span]:
        """Return the first `limit` spans that an event after `since_seq` changed, in the order of these changes."""

    async def span_window(self, task_id: str, open_limit: int, ended_limit: int) -> list[Span]:
        """Return a selection of the spans of a task that has too many for one page.

        These are the last `open_limit` open spans, the last `ended_limit` ended spans, the first `ended_limit` marks
        (spans that were never opened), and the ancestors of all these: at most
        `open_limit + 2 * ended_limit + MAX_ANCESTORS` spans in all.
        """

    async def span_parents(self, task_id: str, span_ids: Collection[str], levels: int) -> dict[str, str | None]:
        """Return the id of the parent of each of these spans, and of their ancestors up to `levels` levels above them.

        Spans that no event has named are absent; a parent may be one of them.
        """

    async def spans_with_ancestors(self, task_id: str, span_ids: Collection[str], levels: int) -> list[Span]:
        """Return these spans and their ancestors up to `levels` levels above them."""

    async def span_descendants(self, task_id: str, span_id: str, levels: int, limit: int) -> list[Span]:
        """Return the spans below a span, at most `levels` levels below it, and at most `limit` of them.

        If there are more, the upper levels have precedence.
        """


class SpanReading(Protocol):
    """Reads of the spans of one task as they are now."""

    async def open_spans(self, task_id: str, limit: int = 1000) -> list[Span]:
        """Return the first `limit` open spans, in the order in which they began."""

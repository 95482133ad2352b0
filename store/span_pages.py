"""Reading the spans of a task page by page."""

from __future__ import annotations

from typing import NamedTuple

from signalbox.store.contract.reading.spans import TaskSpanReading
from signalbox.store.state import Span


class SpanPage(NamedTuple):
    """Some spans in the order in which they began. `next` is the seq after which the next page begins, if any."""

    spans: list[Span]
    next: int | None


async def span_page(view: TaskSpanReading, task_id: str, after: int, limit: int) -> SpanPage:
    """Return the first `limit` spans that began after the seq `after`.

    An event can begin two spans: its own, and a parent that has not arrived yet. They are on the same page, because the
    next one begins after their seq. So a page may have one span less, or two spans with a limit of one.
    """
    found = await view.spans(task_id, after, limit + 1)
    if len(found) <= limit:
        return SpanPage(found, None)
    beyond = found[-1].started_seq
    shown = [span for span in found if span.started_seq < beyond] or found
    return SpanPage(shown, shown[-1].started_seq)


def order_of_start(span: Span) -> tuple[int, str]:
    """Return the sort key of the order in which spans begin. Of two that one event begins, the id decides."""
    return span.started_seq, span.span_id

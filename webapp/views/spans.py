"""All spans of a task, page by page, in the order in which they began."""

from __future__ import annotations

from dataclasses import dataclass

from signalbox.store import TaskReading
from signalbox.store.state import Span, Task

SPANS_PAGE = 500


@dataclass(frozen=True, kw_only=True)
class SpansView:
    """One page of the spans of a task, in the order in which they began. `after` is the cursor of the next page."""

    task: Task
    spans: list[Span]
    first: bool
    after: int | None


async def spans_view(view: TaskReading, task_id: str, *, after: int = 0) -> SpansView:
    """Read the page of spans that began after the seq `after`. Raises UnknownTask."""
    task = await view.task(task_id)
    spans = await view.spans(task_id, after, SPANS_PAGE + 1)
    more = len(spans) > SPANS_PAGE
    shown = spans[:SPANS_PAGE]
    return SpansView(task=task, spans=shown, first=after == 0, after=shown[-1].started_seq if more else None)

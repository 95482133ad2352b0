"""How deep the spans of log rows lie in the tree of spans, for the indentation of the rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from signalbox.store import Event
from signalbox.store.contract.reading.spans import TaskSpanReading
from signalbox.store.state import Task

MAX_DEPTH = 6
"""Rows of deeper spans are indented as rows of this depth."""


async def span_depths(view: TaskSpanReading, task: Task, rows: Iterable[Event]) -> Mapping[str, int]:
    """Return the depth of the spans of these rows, from 1 to `MAX_DEPTH`. Spans at the top are absent.

    The depth of a span is the number of its ancestors, as in the panel of spans.
    """
    named = {event.span_id for event in rows}
    named.discard(task.main_span_id)
    if not named or task.spans_total < 2:
        return {}
    parents = await view.span_parents(task.task_id, named, MAX_DEPTH)
    depths = {span_id: _depth(span_id, parents) for span_id in named}
    return {span_id: depth for span_id, depth in depths.items() if depth}


def _depth(span_id: str, parents: Mapping[str, str | None]) -> int:
    depth, parent = 0, parents.get(span_id)
    # The limit also ends a circle of spans that are each other's ancestors.
    while parent is not None and parent in parents and depth < MAX_DEPTH:
        depth, parent = depth + 1, parents[parent]
    return depth

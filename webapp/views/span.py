"""One span: its events, its parents up to the run, its children."""

from __future__ import annotations

from dataclasses import dataclass

from werkzeug.exceptions import NotFound

from signalbox.store import LogHits, LogQuery, TaskReading
from signalbox.store.state import Span, Task
from signalbox.webapp.views.conversation.reading import Conversation, span_conversation

EVENTS = 100
CHILDREN = 200
ANCESTORS = 50


@dataclass(frozen=True, kw_only=True)
class SpanView:
    """A span of `task`. `chain` has its ancestors, the outermost first; `hits` has its events after `after`.

    `conversation` is that of the span with the spans below it, None if it has none.
    """

    task: Task
    span: Span
    chain: list[Span]
    children: list[Span]
    more_children: bool
    hits: LogHits
    after: int
    conversation: Conversation | None = None


async def span_view(view: TaskReading, task_id: str, span_id: str, *, after: int = 0) -> SpanView:
    """Read a span with its events after the seq `after`. Raises UnknownTask or NotFound."""
    task = await view.task(task_id)
    span = await view.span(task_id, span_id)
    if span is None:
        raise NotFound
    children = await view.span_children(task_id, span_id, CHILDREN + 1)
    # A span starts with its first event, so earlier events of the log need not be read.
    query = LogQuery(span_id=span_id, rows=True, since=span.started_seq)
    return SpanView(
        task=task,
        span=span,
        chain=await ancestors(view, span, task_id),
        children=children[:CHILDREN],
        more_children=len(children) > CHILDREN,
        hits=await view.brief().search(task_id, query, after, EVENTS),
        after=after,
        conversation=await span_conversation(view, task, span),
    )


async def ancestors(view: TaskReading, span: Span, task_id: str) -> list[Span]:
    """Return the ancestors of a span, the outermost first; at most ANCESTORS of them."""
    if not span.parent_span_id:
        return []
    known = {s.span_id: s for s in await view.spans_with_ancestors(task_id, [span.parent_span_id], ANCESTORS - 1)}
    # Spans in a log may be each other's parents, so stop at the first repetition.
    known.pop(span.span_id, None)
    chain: list[Span] = []
    above = known.pop(span.parent_span_id, None)
    while above is not None:
        chain.append(above)
        above = known.pop(above.parent_span_id or "", None)
    return chain[::-1]

"""A whole log, page by page: however long it is, one page of it is in memory."""

from __future__ import annotations

from collections.abc import AsyncIterator

from store import Event, Store
from store.state import Span

PAGE = 500
"""Events that are written at once: more would keep others waiting for milliseconds."""


async def event_pages(store: Store, task_id: str, last_seq: int) -> AsyncIterator[list[Event]]:
    """The events up to `last_seq`. No connection is held between two pages, so a slow reader is in nobody's way."""
    after = 0
    while after < last_seq:
        async with store.read() as view:
            page = await view.events(task_id, after, min(PAGE, last_seq - after))
        if not page:
            return
        yield page
        after = page[-1].seq


async def span_pages(store: Store, task_id: str) -> AsyncIterator[list[Span]]:
    """All spans, in the order in which they began."""
    after = 0
    while True:
        async with store.read() as view:
            page = await view.spans(task_id, after, PAGE)
        if not page:
            return
        yield page
        after = page[-1].started_seq

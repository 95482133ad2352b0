"""Reads a whole log or all spans page by page, so that an export holds one page in memory."""

from __future__ import annotations

from collections.abc import AsyncIterator

from signalbox.store import Event, Store
from signalbox.store.state import Span

PAGE = 500
"""The most events of one page. More would delay other requests by milliseconds."""

FIRST = 20
BYTES = 1024 * 1024
"""The approximate payload bytes of one page, estimated from the page before."""


async def event_pages(store: Store, task_id: str, last_seq: int) -> AsyncIterator[list[Event]]:
    """The events up to `last_seq`. No connection is held between two pages, so a slow reader is in nobody's way."""
    after, step = 0, FIRST
    while after < last_seq:
        async with store.read() as view:
            page = await view.events(task_id, after, min(step, last_seq - after))
        if not page:
            return
        yield page
        after = page[-1].seq
        size = sum(memoryview(event.payload_json).nbytes for event in page)
        step = min(PAGE, max(1, len(page) * BYTES // max(size, 1)))


async def span_pages(store: Store, task_id: str) -> AsyncIterator[list[Span]]:
    """Yield all spans, in the order in which they started."""
    after = 0
    while True:
        async with store.read() as view:
            page = await view.spans(task_id, after, PAGE)
        if not page:
            return
        yield page
        after = page[-1].started_seq

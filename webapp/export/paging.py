"""Reads a whole log or all spans page by page, so that an export holds one page in memory."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import NamedTuple

from signalbox.store import Event, Reading, Store, StoreDamaged
from signalbox.store.contract.reading.links import StoredLink
from signalbox.store.identity import check_identity
from signalbox.store.span_pages import span_page
from signalbox.store.state import Span, Task

PAGE = 500
"""Maximum events of one page. More would delay other requests by milliseconds."""

FIRST = 20
BYTES = 1024 * 1024
"""The approximate payload bytes of one page, estimated from the page before."""


class LinkedPage(NamedTuple):
    """A page of events, and their links by seq."""

    events: list[Event]
    links: dict[int, StoredLink]


async def event_pages(store: Store, task: Task) -> AsyncIterator[list[Event]]:
    """Yield the events of `task` as `linked_pages` does, without their links."""
    async for page in _pages(store, task, with_links=False):
        yield page.events


def linked_pages(store: Store, task: Task) -> AsyncIterator[LinkedPage]:
    """Yield the events of `task` up to its newest one now, with their links.

    No connection is held between two pages, so a slow reader delays nobody. Raises UnknownTask once the task is
    deleted, also if another task has its id by then.
    """
    return _pages(store, task, with_links=True)


async def _pages(store: Store, task: Task, *, with_links: bool) -> AsyncIterator[LinkedPage]:
    task_id, last_seq = task.task_id, task.latest_seq
    after, step = 0, FIRST
    while after < last_seq:
        async with store.read() as view:
            await _check_identity(view, task)
            page = await view.events(task_id, after, min(step, last_seq - after))
            links = await view.links(task_id, after, page[-1].seq) if with_links and page else {}
        if not page:
            raise StoreDamaged(f"events of {task_id} after #{after} are missing")
        yield LinkedPage(page, links)
        after = page[-1].seq
        size = sum(memoryview(event.payload_json).nbytes for event in page)
        step = min(PAGE, max(1, len(page) * BYTES // max(size, 1)))


async def span_pages(store: Store, task: Task) -> AsyncIterator[list[Span]]:
    """Yield all spans, in the order in which they started. Raises UnknownTask as `event_pages` does."""
    after: int | None = 0
    while after is not None:
        async with store.read() as view:
            await _check_identity(view, task)
            page = await span_page(view, task.task_id, after, PAGE)
        if page.spans:
            yield page.spans
        after = page.next


async def _check_identity(view: Reading, task: Task) -> None:
    check_identity(task.task_id, task.identity, (await view.head(task.task_id)).identity)

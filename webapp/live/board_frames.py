"""Frames of pages that show several tasks; positions are event ids. Each frame reads one consistent view."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from signalbox.store import Reading, Store, TaskQuery
from signalbox.store.state import Flags
from signalbox.webapp.auth.principal import ProjectIds
from signalbox.webapp.drawing.fragments import Fragments
from signalbox.webapp.live import sse
from signalbox.webapp.live.chunk import Chunk
from signalbox.webapp.live.renderer import Kept
from signalbox.webapp.views.permissions import Tab, inbox_view
from signalbox.webapp.views.task_list import task_list_view

KEPT_STATES = 4
"""How many sent states a renderer keeps, for streams at different positions."""


class TaskListFrames:
    """Renders the frames of one page of the task list. It is a `StateRenderer`.

    The page can change without an event: a task leaves "last hour", a project gets another name, a view is saved. Such
    a frame has the position of the previous one.
    """

    def __init__(self, store: Store, fragments: Fragments, query: TaskQuery, *, manages: bool = True) -> None:
        self._store = store
        self._fragments = fragments
        self._query = query
        self._manages = manages
        self._kept: Kept[str, tuple[tuple[object, ...], dict[str, str]]] = Kept(KEPT_STATES)

    async def from_state(self, cursor: int, shown: str) -> Chunk | None:
        async with self._store.read() as view:
            seen = await task_list_view(view, self._query, manages=self._manages)
        before = self._kept.get(shown)
        unchanged = seen.event_id == cursor and seen.state == shown
        if seen.event_id < cursor or (unchanged and before is not None):
            return None
        rows = dict(self._fragments.list_rows(seen))
        self._kept.put(seen.state, (seen.outside_rows, rows))
        if unchanged:
            # Kept for the next frame, which then has only the rows that differ.
            return None
        if before and before[0] == seen.outside_rows and list(before[1]) == list(rows):
            changed = {task_id: row for task_id, row in rows.items() if before[1][task_id] != row}
            html = self._fragments.list_frame_rows(seen, cursor, changed)
        else:
            html = self._fragments.list_frame(seen, cursor)
        return Chunk(sse.html_message(seen.event_id, html), seen.event_id, 1, shown=seen.state)


class ComparisonFrames:
    """Renders the frames of a page that shows some tasks together. Events of other tasks cause no frame.

    `draw` reads the tasks itself, so a frame may already show the events after its position.
    """

    def __init__(
        self,
        store: Store,
        fragments: Fragments,
        tasks: Sequence[str],
        draw: Callable[[], Awaitable[dict[str, str]]],
    ) -> None:
        self._store = store
        self._fragments = fragments
        self._tasks = tasks
        self._draw = draw
        self._kept: Kept[int, dict[str, tuple[int, Flags, str]]] = Kept(KEPT_STATES)

    async def __call__(self, cursor: int) -> Chunk | None:
        async with self._store.read() as view:
            event_id, standings = await view.latest_event_id(), await view.standings(self._tasks)
        # An erasure changes a page without a new seq.
        states = {task_id: (one.latest_seq, one.flags, one.erased_at) for task_id, one in standings.items()}
        if event_id <= cursor or self._kept.get(cursor) == states:
            return None
        parts = await self._draw()
        self._kept.put(event_id, states)
        return Chunk(sse.html_message(event_id, self._fragments.parts_frame(parts, cursor, event_id)), event_id, 1)


class BoardFrames:
    """Renders the frames of a page about many tasks that consists of parts. `draw` returns them as `{DOM id: HTML}`.

    A stream at a position whose parts are kept gets the parts that changed. Any other stream gets all parts.
    """

    def __init__(
        self, store: Store, fragments: Fragments, draw: Callable[[Reading], Awaitable[dict[str, str]]]
    ) -> None:
        self._store = store
        self._fragments = fragments
        self._draw = draw
        self._kept: Kept[int, dict[str, str]] = Kept(KEPT_STATES)

    async def __call__(self, cursor: int) -> Chunk | None:
        async with self._store.read() as view:
            event_id, parts = await view.latest_event_id(), await self._draw(view)
        before = self._kept.get(cursor) or {}
        changed = {part: html for part, html in parts.items() if before.get(part) != html}
        if event_id <= cursor or not changed:
            return None
        self._kept.put(event_id, parts)
        return Chunk(sse.html_message(event_id, self._fragments.parts_frame(changed, cursor, event_id)), event_id, 1)


class InboxFrames:
    """Renders the frames of the permission inbox for readers who see `projects` and may answer in `answered`.

    Events that do not change the inbox cause no frame.
    """

    def __init__(
        self,
        store: Store,
        fragments: Fragments,
        projects: ProjectIds,
        answered: ProjectIds,
        *,
        tab: Tab = "open",
        task_id: str | None = None,
        after: str = "",
    ) -> None:
        self._store = store
        self._fragments = fragments
        self._tab: Tab = tab
        self._projects = projects
        self._answered = answered
        self._task_id = task_id
        self._after = after
        self._kept: Kept[int, tuple[object, ...]] = Kept(KEPT_STATES)

    async def __call__(self, cursor: int) -> Chunk | None:
        async with self._store.read() as view:
            seen = await inbox_view(
                view, self._projects, self._answered, tab=self._tab, task_id=self._task_id, after=self._after
            )
            signature = (await view.erasures(), *seen.signature)
        if seen.event_id <= cursor or self._kept.get(cursor) == signature:
            return None
        self._kept.put(seen.event_id, signature)
        return Chunk(sse.html_message(seen.event_id, self._fragments.inbox_frame(seen, cursor)), seen.event_id, 1)

"""Frames: what brings a live page from its cursor to the newest state, in one consistent read."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Protocol, TypeVar

from signalbox.store import Reading, Store, TaskQuery, UnknownTask
from signalbox.store.state import Task
from signalbox.webapp.auth.principal import Projects
from signalbox.webapp.drawing.fragments import Fragments
from signalbox.webapp.live import sse
from signalbox.webapp.live.chunk import Chunk
from signalbox.webapp.live.frame_lane import Render
from signalbox.webapp.views.forecast import Earlier
from signalbox.webapp.views.permissions import inbox_view
from signalbox.webapp.views.task import task_view
from signalbox.webapp.views.task_list import task_list_view

KEPT = 4
"""Renderings of a page that are kept to send only what differs from them."""

_CLOCK = re.compile(r"(?<=>)[^<]*(?=</running-clock>)")
"""What a clock shows runs on by itself: it is no change."""

V = TypeVar("V", bound="OfTask")


def task_frames(
    store: Store,
    fragments: Fragments,
    task_id: str,
    *,
    may_answer: bool = True,
    key: bytes | None = None,
    shown: str = "",
    identity: str = "",
) -> Render:
    """Renders the frames of one task's page; positions are seqs. See `task_view` for what its readers may.

    Its pages have `shown` these flags; once they are others, each frame has them, and so has one at the same position.
    """
    earlier = Earlier()
    turned = False

    async def render(cursor: int) -> Chunk | None:
        nonlocal turned
        async with store.read() as view:
            told = partial(earlier.of, view)
            seen = await task_view(view, task_id, since=cursor, earlier=told, may_answer=may_answer, key=key)
        _check_identity(seen.task, identity)
        # What is unfinished changes without a word of the flags.
        turned = turned or seen.flags != shown or bool(seen.unfinished)
        if seen.seq < cursor or (seen.seq == cursor and not turned):
            return None
        frame = sse.html_message(seen.seq, fragments.task_frame(seen, cursor, flags=turned))
        beside = (seen.task.archived_at is not None, seen.task.stale)
        return Chunk(frame, seen.seq, seen.seq - cursor, beside=beside)

    return render


def _check_identity(task: Task, identity: str) -> None:
    """Raise UnknownTask if another task has the id now."""
    if identity and task.identity != identity:
        raise UnknownTask(task.task_id)


class OfTask(Protocol):
    """What a page shows of one task."""

    @property
    def task(self) -> Task: ...


def part_frames(
    store: Store,
    fragments: Fragments,
    read: Callable[[Reading], Awaitable[V]],
    draw: Callable[[V], dict[str, str]],
    identity: str = "",
) -> Render:
    """Renders the frames of a page of one task that is a few parts (`{DOM id: HTML}`); positions are seqs.

    A page whose parts at its cursor are kept gets those that differ from them, any other gets all.
    """
    kept: dict[int, dict[str, str]] = {}

    async def render(cursor: int) -> Chunk | None:
        async with store.read() as view:
            seen = await read(view)
        _check_identity(seen.task, identity)
        seq = seen.task.latest_seq
        if seq <= cursor:
            return None
        parts = draw(seen)
        before = kept.get(cursor, {})
        changed = {part: html for part, html in parts.items() if _settled(html) != _settled(before.get(part, ""))}
        kept[seq] = parts
        if len(kept) > KEPT:
            del kept[min(kept)]
        return Chunk(sse.html_message(seq, fragments.parts_frame(changed, cursor, seq)), seq, seq - cursor)

    return render


def _settled(html: str) -> str:
    return _CLOCK.sub("", html)


def list_frames(store: Store, fragments: Fragments, query: TaskQuery, *, manages: bool = True) -> Render:
    """Renders the frames of one page of the task list; positions are event ids.

    What was made in the last hour changes with the clock alone: then the same position is drawn again.
    """
    kept: dict[int, tuple[tuple[object, ...], dict[str, str]]] = {}

    async def render(cursor: int) -> Chunk | None:
        async with store.read() as view:
            seen = await task_list_view(view, query, manages=manages)
        rows = dict(fragments.list_rows(seen))
        before = kept.get(cursor)
        kept[seen.event_id] = (seen.around, rows)
        while len(kept) > KEPT:
            del kept[min(kept)]
        if seen.event_id < cursor or (seen.event_id == cursor and before in (None, (seen.around, rows))):
            return None
        if before and before[0] == seen.around and list(before[1]) == list(rows):
            changed = {task_id: row for task_id, row in rows.items() if before[1][task_id] != row}
            html = fragments.list_frame_rows(seen, cursor, changed)
        else:
            html = fragments.list_frame(seen, cursor)
        return Chunk(sse.html_message(seen.event_id, html), seen.event_id, 1)

    return render


def pair_frames(
    store: Store, fragments: Fragments, tasks: Sequence[str], draw: Callable[[Reading], Awaitable[dict[str, str]]]
) -> Render:
    """Renders the frames of a page that shows some tasks together; positions are event ids.

    For what happens in other tasks there is no frame.
    """
    kept: dict[int, dict[str, int]] = {}

    async def render(cursor: int) -> Chunk | None:
        async with store.read() as view:
            event_id, seqs = await view.latest_event_id(), await view.latest_seqs(tasks)
            if event_id <= cursor or kept.get(cursor) == seqs:
                return None
            parts = await draw(view)
        kept[event_id] = seqs
        if len(kept) > KEPT:
            del kept[min(kept)]
        return Chunk(sse.html_message(event_id, fragments.parts_frame(parts, cursor, event_id)), event_id, 1)

    return render


def inbox_frames(
    store: Store,
    fragments: Fragments,
    projects: Projects,
    answered: Projects,
    *,
    task_id: str | None = None,
    after: str = "",
) -> Render:
    """Renders the frames of a page of the inbox of those who see and answer these projects; positions are event ids.

    For what changes nothing in it there is no frame.
    """
    kept: dict[int, str] = {}

    async def render(cursor: int) -> Chunk | None:
        async with store.read() as view:
            seen = await inbox_view(view, projects, answered, task_id=task_id, after=after)
        panel = fragments.inbox_panel(seen)
        if seen.event_id <= cursor or kept.get(cursor) == panel:
            return None
        kept[seen.event_id] = panel
        if len(kept) > KEPT:
            del kept[min(kept)]
        return Chunk(sse.html_message(seen.event_id, fragments.inbox_frame(seen, cursor)), seen.event_id, 1)

    return render

"""Frames of pages that show one task; positions are seqs. Each frame reads the newest state in one consistent view."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Generic, Protocol, TypeVar

from signalbox.store import Reading, Store
from signalbox.store.identity import check_identity
from signalbox.store.state import Task
from signalbox.webapp.drawing.fragments import Fragments
from signalbox.webapp.live import sse
from signalbox.webapp.live.chunk import Chunk
from signalbox.webapp.live.renderer import Kept
from signalbox.webapp.views.forecast import Earlier
from signalbox.webapp.views.task import task_view

KEPT_STATES = 4
"""How many sent states a renderer keeps, for streams at different positions."""

_CLOCK = re.compile(r"(?<=>)[^<]*(?=</running-clock>)")
"""The text of a running clock. The browser updates it, so a difference in it does not count as a change."""


class OfTask(Protocol):
    """A view of one task."""

    @property
    def task(self) -> Task: ...


V = TypeVar("V", bound=OfTask)


class TaskFrames:
    """Renders the frames of the task page. See `task_view` for `may_answer` and `key`.

    `shown` are the flags that the page shows; see `TaskView.flags`. Once the flags differ, every frame includes them,
    and a stream that has all events gets a frame at the same position.
    """

    def __init__(
        self,
        store: Store,
        fragments: Fragments,
        task_id: str,
        *,
        may_answer: bool = True,
        key: bytes | None = None,
        shown: str = "",
        identity: str = "",
    ) -> None:
        self._store = store
        self._fragments = fragments
        self._task_id = task_id
        self._may_answer = may_answer
        self._key = key
        self._shown = shown
        self._identity = identity
        self._earlier = Earlier()
        self._flags_changed = False

    async def __call__(self, cursor: int) -> Chunk | None:
        async with self._store.read() as view:
            seen = await task_view(
                view,
                self._task_id,
                since=cursor,
                earlier=partial(self._earlier.of, view),
                may_answer=self._may_answer,
                key=self._key,
            )
        check_identity(seen.task.task_id, self._identity, seen.task.identity)
        # The unfinished output can change while the flags stay the same.
        self._flags_changed = self._flags_changed or seen.flags != self._shown or bool(seen.unfinished)
        if seen.seq < cursor or (seen.seq == cursor and not self._flags_changed):
            return None
        frame = self._fragments.task_frame(seen, cursor, flags=self._flags_changed)
        flags = (seen.task.archived_at is not None, seen.task.stale)
        return Chunk(sse.html_message(seen.seq, frame), seen.seq, seen.seq - cursor, flags=flags)


class PartFrames(Generic[V]):
    """Renders the frames of a page of one task that consists of parts. `draw` returns them as `{DOM id: HTML}`.

    A stream at a position whose parts are kept gets the changed parts. Any other stream gets all parts.
    """

    def __init__(
        self,
        store: Store,
        fragments: Fragments,
        read: Callable[[Reading], Awaitable[V]],
        draw: Callable[[V], dict[str, str]],
        identity: str = "",
    ) -> None:
        self._store = store
        self._fragments = fragments
        self._read = read
        self._draw = draw
        self._identity = identity
        self._kept: Kept[dict[str, str]] = Kept(KEPT_STATES)

    async def __call__(self, cursor: int) -> Chunk | None:
        async with self._store.read() as view:
            seen = await self._read(view)
        check_identity(seen.task.task_id, self._identity, seen.task.identity)
        seq = seen.task.latest_seq
        if seq <= cursor:
            return None
        parts, before = self._draw(seen), self._kept.get(cursor) or {}
        changed = {
            part: html for part, html in parts.items() if _without_clocks(html) != _without_clocks(before.get(part, ""))
        }
        self._kept.put(seq, parts)
        return Chunk(sse.html_message(seq, self._fragments.parts_frame(changed, cursor, seq)), seq, seq - cursor)


def _without_clocks(html: str) -> str:
    return _CLOCK.sub("", html)

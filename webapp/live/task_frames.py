"""Frames of pages that show one task; positions are seqs. Each frame has the newest state of one consistent view."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from typing import Generic, Protocol, TypeVar

import structlog

from signalbox.store import Reading, Store, StoreError
from signalbox.store.blocking import run_without_waiting
from signalbox.store.contract import TaskPageReading
from signalbox.store.identity import check_identity
from signalbox.store.state import Phase, Task
from signalbox.webapp.drawing.fragments import Fragments
from signalbox.webapp.live import sse
from signalbox.webapp.live.chunk import Chunk
from signalbox.webapp.live.forecasts import Forecasts
from signalbox.webapp.live.renderer import Kept, NotInMemory
from signalbox.webapp.live.watched_task import WatchedTask
from signalbox.webapp.views.outcome import Outcome, outcome_of
from signalbox.webapp.views.task import TaskView, task_view

logger = structlog.get_logger("signalbox.live")

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
    """Renders the frames of the task page, from the replica of the `watched` task if it has what they need.

    It is a `MemoryRenderer`, which names states as `TaskView.outside_log` does. If the state of a page has changed, its
    frame includes it, and a stream that has all events gets a frame at the same position. `may_answer` and `key` are as
    for `task_view`.
    """

    def __init__(
        self,
        store: Store,
        fragments: Fragments,
        watched: WatchedTask,
        forecasts: Forecasts,
        *,
        may_answer: bool = True,
        key: bytes | None = None,
        identity: str = "",
    ) -> None:
        self._store = store
        self._fragments = fragments
        self._watched = watched
        self._forecasts = forecasts
        self._may_answer = may_answer
        self._key = key
        self._identity = identity

    def from_memory(self, cursor: int, shown: str) -> Chunk | None:
        """Return the frame for a stream at `cursor` whose page shows a state without a read. Raises NotInMemory."""
        reading = self._watched.reading(cursor)
        try:
            seen = run_without_waiting(self._view(reading, cursor, self._forecasts.known, _known_outcome))
            return self._chunk(seen, cursor, shown)
        except NotInMemory:
            raise
        except Exception as error:
            # Read the store before the streams are ended: only the replica may be wrong.
            if not isinstance(error, StoreError):
                logger.error("a frame could not be rendered from memory", exc_info=error)
            self._watched.forget()
            raise NotInMemory from error

    async def from_state(self, cursor: int, shown: str) -> Chunk | None:
        """Return the same, and read what it needs. Raises UnknownTask and StoreError."""
        await self._watched.load()
        if self._watched.task is not None:
            await self._forecasts.load(self._watched.task)
        with suppress(NotInMemory):
            return self.from_memory(cursor, shown)
        async with self._store.read() as view:
            earlier, outcome = partial(self._forecasts.read, view), partial(outcome_of, view, view)
            seen = await self._view(view, cursor, earlier, outcome)
        return self._chunk(seen, cursor, shown)

    async def _view(
        self,
        reading: TaskPageReading,
        cursor: int,
        earlier: Callable[[Task], Awaitable[list[list[Phase]]]],
        outcome: Callable[[Task], Awaitable[Outcome | None]],
    ) -> TaskView:
        return await task_view(
            reading,
            self._watched.task_id,
            since=cursor,
            earlier=earlier,
            outcome=outcome,
            may_answer=self._may_answer,
            key=self._key,
        )

    def _chunk(self, seen: TaskView, cursor: int, shown: str) -> Chunk | None:
        check_identity(seen.task.task_id, self._identity, seen.task.identity)
        state = seen.outside_log
        if seen.seq < cursor or (seen.seq == cursor and state == shown):
            return None
        message = sse.html_message(seen.seq, self._fragments.task_frame(seen, cursor, outside_log=state != shown))
        return Chunk(message, seen.seq, seen.seq - cursor, flags=seen.task.flags, shown=state)


class PartFrames(Generic[V]):
    """Renders the frames of a page of one task that consists of parts. `draw` returns them as `{DOM id: HTML}`.

    A stream at a position whose parts are kept gets the changed parts. Any other stream gets all parts.
    """

    def __init__(
        self,
        store: Store,
        fragments: Fragments,
        read: Callable[[Reading], Awaitable[V]],
        draw: Callable[[V], Awaitable[dict[str, str]]],
        identity: str = "",
    ) -> None:
        self._store = store
        self._fragments = fragments
        self._read = read
        self._draw = draw
        self._identity = identity
        self._kept: Kept[int, dict[str, str]] = Kept(KEPT_STATES)

    async def __call__(self, cursor: int) -> Chunk | None:
        async with self._store.read() as view:
            seen = await self._read(view)
        check_identity(seen.task.task_id, self._identity, seen.task.identity)
        seq = seen.task.latest_seq
        if seq <= cursor:
            return None
        parts, before = await self._draw(seen), self._kept.get(cursor) or {}
        changed = {
            part: html for part, html in parts.items() if _without_clocks(html) != _without_clocks(before.get(part, ""))
        }
        self._kept.put(seq, parts)
        return Chunk(sse.html_message(seq, self._fragments.parts_frame(changed, cursor, seq)), seq, seq - cursor)


async def _known_outcome(task: Task) -> Outcome | None:
    """Return the outcome of a run that has neither a failure nor other runs of its kind. Raises NotInMemory."""
    if task.status != "done" or task.kind:
        raise NotInMemory
    return Outcome()


def _without_clocks(html: str) -> str:
    return _CLOCK.sub("", html)

"""Appends a command's events in the background: in order, in limited memory, and across outages of the log."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable

from signalbox.store import (
    Conflict,
    InvalidEvent,
    NewEvent,
    NotAllowed,
    StoreError,
    StoreMoved,
    StoreUnavailable,
    UnknownTask,
)
from signalbox.store.log import Log, Remote, with_keys

MAX_WAITING_CHARS = 16 * 1024 * 1024
"""Characters of output that may wait for the log. Beyond that, the command must wait."""

MAX_GROUP_EVENTS, MAX_GROUP_CHARS = 500, 256 * 1024
"""Maximum number of events in one append, and of characters."""

MAX_PAUSE_S = 5.0

OVERHEAD = 200
"""The size of an event without its text, in characters."""


class Recorder:
    """Appends the waiting events in the background, in groups of limited size.

    While the log does not answer, events wait and the append is tried again. `notice` is called with a line for the
    person at the terminal when an outage begins and ends, and when the log refuses events. With `identity`, events are
    written only to the task with this identity: once it is deleted, they are dropped. `follow` returns the store to
    which the log was moved, or raises StoreError; without it, later events are not recorded.
    """

    def __init__(
        self,
        log: Log,
        task_id: str,
        notice: Callable[[str], None],
        identity: str | None = None,
        *,
        follow: Callable[[Log, StoreMoved], Awaitable[Log]] | None = None,
    ) -> None:
        self._log, self._task_id, self._notice, self._follow = log, task_id, notice, follow
        self.identity = identity
        self._waiting: deque[tuple[NewEvent, int]] = deque()
        self._size = 0
        self._full = False
        self._work, self._empty = asyncio.Event(), asyncio.Event()
        self._empty.set()
        self._on_room: list[Callable[[], None]] = []
        self.on_append: Callable[[], None] = lambda: None
        self.refused = 0
        self.not_allowed: NotAllowed | None = None
        self.moved_away: StoreError | None = None
        self.task_is_gone = False
        self._task = asyncio.create_task(self._record(), name="signalbox-recorder")

    @property
    def waiting(self) -> int:
        """The number of events that are not in the log yet."""
        return len(self._waiting)

    @property
    def full(self) -> bool:
        """Whether too much output is waiting; see `call_when_room`."""
        return self._full

    def call_when_room(self, resume: Callable[[], None]) -> None:
        """Call `resume` whenever there is room again."""
        self._on_room.append(resume)

    def add(self, event: NewEvent, size: int = 0) -> None:
        """Add an event whose text has `size` characters."""
        self._waiting.append((event, size + OVERHEAD))
        self._size += size + OVERHEAD
        self._work.set()
        self._empty.clear()
        self._full = self._full or self._size > MAX_WAITING_CHARS

    async def drained(self) -> None:
        """Wait until all events are in the log."""
        await self._empty.wait()

    async def finish(self, timeout: float) -> int:
        """Wait at most `timeout` seconds until all events are in the log, then stop. Return how many are missing."""
        try:
            async with asyncio.timeout(timeout):
                await self._empty.wait()
        except TimeoutError:
            pass
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        return self.waiting + self.refused

    def give_up(self) -> None:
        """End the wait of `finish`."""
        self._empty.set()

    async def _record(self) -> None:
        while True:
            await self._work.wait()
            group, size = self._group()
            await self._append(group)
            for _ in group:
                self._waiting.popleft()
            self._size -= size
            if not self._waiting:
                self._work.clear()
                self._empty.set()
            if self._full and self._size < MAX_WAITING_CHARS // 2:
                self._full = False
                for resume in self._on_room:
                    resume()

    def _group(self) -> tuple[list[NewEvent], int]:
        group: list[NewEvent] = []
        total = 0
        for event, size in self._waiting:
            if group and (total + size > MAX_GROUP_CHARS or len(group) == MAX_GROUP_EVENTS):
                break
            group.append(event)
            total += size
        return group, total

    async def _append(self, group: list[NewEvent]) -> None:
        if self.task_is_gone:
            return
        if self.moved_away is not None:
            self.refused += len(group)
            return
        group = with_keys(group) if isinstance(self._log, Remote) else group
        pause = 0.1
        while True:
            try:
                await self._log.aappend(self._task_id, group, identity=self.identity)
                self.on_append()
                break
            except StoreUnavailable as error:
                if pause == 0.1:
                    self._notice(f"{error}; output is kept and recorded later")
                await asyncio.sleep(pause)
                pause = min(pause * 2, MAX_PAUSE_S)
            except StoreMoved as moved:
                try:
                    if self._follow is None:
                        raise
                    self._log = await self._follow(self._log, moved)
                except StoreError as error:
                    self._notice(f"output is not recorded any more: {error}")
                    self.moved_away = error
                    self.refused += len(group)
                    break
            except NotAllowed as error:
                if self.not_allowed is None:
                    self._notice(f"output is not recorded any more: {error}")
                self.not_allowed = error
                self.refused += len(group)
                break
            except UnknownTask:
                self._notice(f"output is not recorded any more: the task {self._task_id} was deleted")
                self.task_is_gone = True
                break
            except Exception as error:
                # An event that the log refuses must not block the events after it.
                if (isinstance(error, InvalidEvent | Conflict) or not isinstance(error, StoreError)) and len(group) > 1:
                    for event in group:
                        await self._append([event])
                else:
                    events = "1 event is" if len(group) == 1 else f"{len(group)} events are"
                    self._notice(f"{events} not recorded: {error}")
                    self.refused += len(group)
                break
        if pause > 0.1:
            self._notice("the log answers again")

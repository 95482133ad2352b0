"""The task that a relay writes to: reading its position, starting it, appending events, ending it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import msgspec

from signalbox.store import NewEvent, StoreUnavailable, UnknownTask
from signalbox.store.emitter.lifeline import Lifeline
from signalbox.store.emitter.run import own_version
from signalbox.store.identity import check_identity
from signalbox.store.log import RETRY_PAUSE, Log, page_of, task_of
from signalbox.store.state import Status, Task
from signalbox.webapp.process.recorder import Recorder
from signalbox.webapp.relay.position import Mark, UpstreamPosition, mark_of

PAGE = 200
"""Number of events in one read."""


class NewTask(msgspec.Struct, frozen=True, kw_only=True):
    """The fields of the task, used when the relay creates it."""

    title: str | None = None
    kind: str = "relay"
    metadata: dict[str, Any] = {}
    project_id: str | None = None


class RelayedTask:
    """A task in `log`, created on the first write. `cancelled` is set when the task is asked to stop."""

    def __init__(
        self,
        log: Log,
        task_id: str,
        new_task: NewTask,
        say: Callable[[str], None],
        heartbeat_interval: float,
        identity: str | None = None,
    ) -> None:
        self._log, self._task_id, self._new_task, self._say = log, task_id, new_task, say
        self._interval = heartbeat_interval
        self._recorder = Recorder(log, task_id, say, identity)
        self._room = asyncio.Event()
        self._recorder.call_when_room(self._room.set)
        self._lifeline: Lifeline | None = None
        self.cancelled = asyncio.Event()
        self.task: Task | None = None
        self.position = UpstreamPosition()

    async def open(self) -> None:
        """Read the task, if it exists, and restore the position from its log."""
        try:
            self.task = await self._read_task()
        except UnknownTask:
            if self._recorder.identity is not None:
                raise
            return
        self._recorder.identity = self.task.identity or None
        self.position = await recorded_position(self._log, self.task)

    async def begin(self, upstream: str) -> None:
        """Create the task if it is new, and start its heartbeats. Further calls do nothing."""
        if self._lifeline is not None:
            return
        if self.task is None:
            new_task = msgspec.structs.asdict(self._new_task)
            self.task, _ = await self._log.acreate_task(self._task_id, **new_task)
            self._recorder.identity = self.task.identity or None
        identity = self._recorder.identity
        interval = {"heartbeat_interval": self._interval}
        facts = {"upstream": upstream, "runner_version": own_version(), **interval}
        spawn = NewEvent(event_type="runner_spawn", payload=facts, key="relay-spawn")
        (spawned,) = await self._log.aappend(self._task_id, spawn, identity=identity)
        if spawned.seq <= self.task.latest_seq:
            promised = {} if self.task.heartbeat_interval == self._interval else interval
            heartbeat = NewEvent(event_type="runner_heartbeat", payload=promised)
            await self._log.aappend(self._task_id, heartbeat, identity=identity)
        cursor = max(self.task.latest_seq, spawned.seq)
        self._lifeline = Lifeline(self._log, self.task, spawned.span_id, cursor, self._interval)
        self._recorder.on_append = self._lifeline.touch
        loop = asyncio.get_running_loop()

        def cancelled() -> None:
            loop.call_soon_threadsafe(self.cancelled.set)

        self._lifeline.on_cancel(cancelled)
        if self.task.cancel_requested:
            self.cancelled.set()

    async def add(self, event: NewEvent) -> None:
        """Queue an event. Waits while the queue is full.

        Raises NotAllowed if the log does not accept events of this relay, UnknownTask once the task is deleted, and
        StoreMoved once the store is at another URL.
        """
        if self._recorder.task_is_gone:
            raise UnknownTask(self._task_id)
        # Events that follow a refusal are not lost: the next relay continues from the log's last key.
        if (refusal := self._recorder.not_allowed or self._recorder.moved_away) is not None:
            raise refusal
        self._room.clear()
        self._recorder.add(event, len(str(event.payload)))
        if self._recorder.full:
            await self._room.wait()

    def append_message(self, message: str) -> None:
        """Append a status event with a message about the upstream."""
        self._recorder.add(NewEvent(event_type="status", actor="relay", payload={"message": message}))

    def end(self, status: Status, **payload: Any) -> None:
        """Append the event that ends the task."""
        self._recorder.add(NewEvent(event_type="runner_exit", payload={"status": status, **payload}))

    async def status_when_drained(self) -> Status:
        """Return the task's status once all queued events are in the log."""
        await self._recorder.drained()
        while True:
            try:
                return (await self._read_task()).status
            except StoreUnavailable:
                await asyncio.sleep(RETRY_PAUSE)

    async def _read_task(self) -> Task:
        """Return the task. Raises UnknownTask, also if another task has its id."""
        task, identity = await task_of(self._log, self._task_id), self._recorder.identity
        check_identity(self._task_id, identity, task.identity)
        return task

    async def close(self, patience: float) -> int:
        """Append the queued events within `patience` seconds. Returns how many could not be appended."""
        if self._lifeline is not None:
            await asyncio.to_thread(self._lifeline.stop)
        return await self._recorder.finish(patience)


async def recorded_position(log: Log, task: Task) -> UpstreamPosition:
    """Restore the position from a task's log, reading backwards from its end to the last SSE id of the upstream."""
    pages: list[list[Mark]] = []
    top, last_id = task.latest_seq, None
    while top > 0:
        since = max(0, top - PAGE)
        events = await page_of(log, task.task_id, since, PAGE)
        marks = [mark for event in events if event.seq <= top and (mark := mark_of(event.key))]
        pages.append(marks)
        last_id = marks[-1].id if marks and last_id is None else last_id
        if any(mark.number == 0 or mark.id != last_id for mark in marks):
            break
        top = since
    return UpstreamPosition(mark for marks in reversed(pages) for mark in marks)

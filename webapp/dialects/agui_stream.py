"""The stream of the AG-UI dialect: what happens in a run after a position, up to its end or to a question.

A run of the protocol is one request. It ends with the run of the task, or, as the protocol has no way to answer while a
stream is open, with an interrupt for each open permission request. The next request answers them and continues.
"""

from __future__ import annotations

from typing import Any

from signalbox.store import Event, Store
from signalbox.store.contract import Reading
from signalbox.store.identity import check_identity
from signalbox.store.state import Permission, Task
from signalbox.webapp.dialects.agui import Narration
from signalbox.webapp.dialects.agui_events import (
    PROTOCOL_VERSION,
    Message,
    delta,
    encoded,
    interrupt_of,
    state_of,
    usage_of_run,
)
from signalbox.webapp.dialects.agui_narrations import Narrations
from signalbox.webapp.live.chunk import Chunk, next_events
from signalbox.webapp.live.control_messages import ControlMessages
from signalbox.webapp.live.renderer import Kept

MAX_INTERRUPTS = 100
"""Interrupts at the end of a run: the first open requests. The next run can answer as many, and ends with the others.
"""

KEPT = 16
"""Positions whose narration is kept, for streams of one lane at different positions."""


class AguiRun:
    """A run of the protocol over the log of a task: a renderer of its stream. `thread_id` and `run_id` are its ids."""

    def __init__(
        self, store: Store, narrations: Narrations, task_id: str, identity: str, thread_id: str, run_id: str
    ) -> None:
        self._store, self._narrations, self._task_id, self._identity = store, narrations, task_id, identity
        self._ids = {"threadId": thread_id, "runId": run_id}
        self._kept: Kept[int, tuple[Narration, dict[str, Any]]] = Kept(KEPT)

    async def prepare(self, cursor: int) -> Narration:
        """Return what is open after `cursor`. Called before the stream begins, so that others do not wait for it."""
        return await self._narrations.at(self._task_id, self._identity, cursor)

    async def opening(self, cursor: int, parent_run_id: str | None) -> bytes:
        """Return the events at the start of a run that continues after `cursor`: its state, and the open steps."""
        narration = await self.prepare(cursor)
        async with self._store.read() as view:
            task = await self._task(view)
        state = state_of(task, cursor)
        messages: list[Message] = [
            {"type": "RUN_STARTED", **self._ids, "protocolVersion": PROTOCOL_VERSION, "parentRunId": parent_run_id},
            {"type": "STATE_SNAPSHOT", "snapshot": state},
            *narration.opening(),
        ]
        self._kept.put(cursor, (narration, state))
        return b"".join(map(encoded, messages))

    async def __call__(self, cursor: int) -> Chunk | None:
        kept = self._kept.get(cursor)
        before = kept[1] if kept else None
        narration = kept[0].copy() if kept else await self.prepare(cursor)
        async with self._store.read() as view:
            task = await self._task(view)
            events, more = await next_events(
                lambda last, n: view.events(self._task_id, last.seq if last else cursor, n)
            )
            reached = events[-1].seq if events else cursor
            at_head = reached >= task.latest_seq
            asks = at_head and task.permissions_open
            waiting = await view.permissions(self._task_id, limit=MAX_INTERRUPTS) if asks else []
        ends = at_head and (task.ended or bool(waiting))
        if not (events or ends):
            return None
        body = b"".join(_group(narration.fold(event), event) for event in events)
        state = state_of(task, reached)
        if before is None:
            body += encoded({"type": "STATE_SNAPSHOT", "snapshot": state}, reached)
        elif (changes := delta(before, state)) is not None:
            body += encoded(changes, reached)
        if ends:
            last = [*narration.closing(), self._end(task, waiting, narration)]
            body += b"".join(map(encoded, last[:-1])) + encoded(last[-1], reached)
        self._kept.put(reached, (narration, state))
        return Chunk(body, reached, len(events), last=ends, more=more)

    def _end(self, task: Task, waiting: list[Permission], narration: Narration) -> Message:
        usage = usage_of_run(task)
        if task.status in ("failed", "interrupted"):
            error = task.error or (f"exit code {task.exit_code}" if task.exit_code else "no reason was given")
            return {"type": "RUN_ERROR", "message": error, "code": task.status, "usage": usage}
        finished: Message = {"type": "RUN_FINISHED", **self._ids, "usage": usage}
        if task.status == "cancelled":
            return {**finished, "outcome": {"type": "cancelled"}}
        if not task.ended:
            interrupts = [interrupt_of(one, narration.tools) for one in waiting]
            return {**finished, "outcome": {"type": "interrupt", "interrupts": interrupts}}
        result = {"status": task.status, "exitCode": task.exit_code}
        return {**finished, "result": result, "outcome": {"type": "success"}}

    async def _task(self, view: Reading) -> Task:
        task = await view.task(self._task_id)
        check_identity(self._task_id, self._identity, task.identity)
        return task


class AguiControlMessages(ControlMessages):
    """Control messages for clients that know only the events of the protocol. No limit ends such a stream.

    A stream that must end early ends with RUN_ERROR: for the protocol the request failed, the run itself continues.
    """

    limited = False

    def farewell(self, cursor: int, reason: str, retry_ms: int) -> bytes:
        message = f"the stream ended ({reason}); the run continues, and another request continues the stream"
        return encoded({"type": "RUN_ERROR", "message": message, "code": "reconnect"})

    def gone(self, cursor: int) -> bytes:
        return encoded({"type": "RUN_ERROR", "message": "the task was deleted", "code": "deleted"})

    def replaced(self, cursor: int) -> bytes:
        message = "the server has another log; begin again without a state"
        return encoded({"type": "RUN_ERROR", "message": message, "code": "restored"})


AGUI = AguiControlMessages()


def _group(messages: list[Message], event: Event) -> bytes:
    """Encode the messages of one event. Only the last one has an id, so that a cut between them repeats the event."""
    return b"".join(
        encoded(message, event.seq if number == len(messages) else None)
        for number, message in enumerate(messages, start=1)
    )

"""The run dialect: log lines as text while a run is at work, then how it ended, then the end of the stream."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from signalbox.store import Event, Store, UnknownTask
from signalbox.store.breaks import lines_of
from signalbox.store.state import Status, Task
from signalbox.webapp.live import sse
from signalbox.webapp.live.chunk import Chunk
from signalbox.webapp.live.control_messages import ControlMessages
from signalbox.webapp.live.renderer import Renderer
from signalbox.webapp.live.ring import CHUNK_EVENTS

RunStatus = Literal["PENDING", "RUNNING", "DONE", "FAILED"]
RUN_STATUS: dict[Status, RunStatus] = {
    "queued": "PENDING",
    "running": "RUNNING",
    "waiting": "RUNNING",
    "done": "DONE",
    "failed": "FAILED",
    "cancelled": "FAILED",
    "interrupted": "FAILED",
}


def run_messages(store: Store, task_id: str, identity: str = "") -> Renderer:
    """Renders a run's messages; positions are seqs. The last one comes when the task has ended and all is told."""

    async def render(cursor: int) -> Chunk | None:
        async with store.read() as view:
            task = await view.task(task_id)
            if identity and task.identity != identity:
                raise UnknownTask(task_id)
            events = await view.events(task_id, cursor, CHUNK_EVENTS)
        reached = events[-1].seq if events else cursor
        told = task.ended and reached >= task.latest_seq
        if not (events or told):
            return None
        body = b"".join(map(log_message, events)) + (status_message(task) if told else b"")
        return Chunk(body, reached, len(events), last=told)

    return render


def log_message(event: Event) -> bytes:
    """A log line with the time at which it was written; nothing for any other event."""
    text = event.payload.get("message")
    if event.event_type != "log" or not isinstance(text, str):
        return b""
    return _message(event.seq, "log", f"{_time_of(event)} {text}")


def status_message(task: Task) -> bytes:
    """The last message of a run that has ended."""
    return _message(task.latest_seq, "status", outcome(task))


def outcome(task: Task) -> str:
    """How a run ended: `Task success`, or `Task failed: ` and why."""
    if task.status == "done":
        return "Task success"
    said = task.error or (f"exit code {task.exit_code}" if task.exit_code else "")
    why = said if task.status == "failed" else ": ".join(filter(None, (task.status, said)))
    return f"Task failed: {why or 'no reason was given'}"


class RunControlMessages(ControlMessages):
    """Comments and a farewell that a client may overlook: the end of the stream alone says that a run is over."""

    limited = False

    def farewell(self, cursor: int, reason: str, retry_ms: int) -> bytes:
        # The id, because a client need not have got a message of what it has read.
        return sse.named("reconnect", {"reason": reason}, retry_ms=retry_ms, position=cursor)


RUN = RunControlMessages()


def _message(seq: int, name: str, text: str) -> bytes:
    data = "\n".join(f"data: {line}" for line in lines_of(text))
    return f"event: {name}\n{data}\nid: {seq}\n\n".encode("utf-8", "replace")


def _time_of(event: Event) -> str:
    """When a line was written: a relayed one says that itself."""
    at = event.payload.get("at")
    try:
        return at if isinstance(at, str) and " " not in at and datetime.fromisoformat(at) else event.created_at
    except ValueError:
        return event.created_at

"""The run dialect: the log lines of a run as text, then its outcome, then the end of the stream."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from signalbox.store import Event, Store
from signalbox.store.identity import check_identity
from signalbox.store.line_breaks import lines_of
from signalbox.store.state import Status, Task
from signalbox.webapp.live import sse
from signalbox.webapp.live.chunk import Chunk, next_events
from signalbox.webapp.live.control_messages import ControlMessages
from signalbox.webapp.live.renderer import Renderer

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
    """Return a function that encodes a run's messages after a seq.

    The outcome is the last message. It is sent once the task has ended and all its log lines have been sent.
    """

    async def render(cursor: int) -> Chunk | None:
        async with store.read() as view:
            task = await view.task(task_id)
            check_identity(task_id, identity, task.identity)
            events, more = await next_events(lambda last, n: view.events(task_id, last.seq if last else cursor, n))
        reached = events[-1].seq if events else cursor
        complete = task.ended and reached >= task.latest_seq
        if not (events or complete):
            return None
        body = b"".join(map(log_message, events)) + (status_message(task) if complete else b"")
        return Chunk(body, reached, len(events), last=complete, more=more)

    return render


def log_message(event: Event) -> bytes:
    """Encode a log line with its time. Other events give b""."""
    text = event.payload.get("message")
    if event.event_type != "log" or not isinstance(text, str):
        return b""
    return _message(event.seq, "log", f"{_time_of(event)} {text}")


def status_message(task: Task) -> bytes:
    """Encode the outcome of a run, the last message of its stream."""
    return _message(task.latest_seq, "status", outcome(task))


def outcome(task: Task) -> str:
    """Return `Task success`, or `Task failed: ` and the reason."""
    if task.status == "done":
        return "Task success"
    error = task.error or (f"exit code {task.exit_code}" if task.exit_code else "")
    reason = error if task.status == "failed" else ": ".join(filter(None, (task.status, error)))
    return f"Task failed: {reason or 'no reason was given'}"


class RunControlMessages(ControlMessages):
    """Control messages that a client of this dialect may ignore: only the end of the stream means the run has ended."""

    limited = False

    def farewell(self, cursor: int, reason: str, retry_ms: int) -> bytes:
        # The id is sent because events without a message in this dialect may have moved the position.
        return sse.named("reconnect", {"reason": reason}, retry_ms=retry_ms, position=cursor)


RUN = RunControlMessages()


def _message(seq: int, name: str, text: str) -> bytes:
    data = "\n".join(f"data: {line}" for line in lines_of(text))
    return f"event: {name}\n{data}\nid: {seq}\n\n".encode("utf-8", "replace")


def _time_of(event: Event) -> str:
    """Return the time of a log line. A relayed line carries its own time in `at`."""
    at = event.payload.get("at")
    try:
        return at if isinstance(at, str) and " " not in at and datetime.fromisoformat(at) else event.created_at
    except ValueError:
        return event.created_at

"""The payload of one event, or one value inside it, as a reader asked to see it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from werkzeug.exceptions import NotFound

from signalbox.store import Event, TaskReading
from signalbox.store.state import Task
from signalbox.webapp.views.json_pointer import resolve


@dataclass(frozen=True, kw_only=True)
class PayloadView:
    """The value at `pointer` in the payload of `event`. A payload that cannot be parsed is the text of its JSON."""

    task: Task
    event: Event
    payload: Any
    pointer: str
    value: Any

    @property
    def bytes(self) -> int:
        """The size of the whole payload."""
        return memoryview(self.event.payload_json).nbytes

    @property
    def stored(self) -> str:
        """The JSON of the value as it is stored, or "" if the value is only a part of the payload."""
        return "" if self.pointer else bytes(self.event.payload_json).decode(errors="replace")


async def payload_view(view: TaskReading, task_id: str, seq: int, pointer: str = "") -> PayloadView:
    """Read the payload of an event. Raises UnknownTask, and NotFound if there is no such event or value."""
    task, found = await view.task(task_id), await view.events_at(task_id, [seq])
    if not found:
        raise NotFound
    payload = _decoded(found[0])
    try:
        value = resolve(payload, pointer)
    except LookupError:
        raise NotFound(f"The payload of event {seq} has no value at {pointer[:200]}.") from None
    return PayloadView(task=task, event=found[0], payload=payload, pointer=pointer, value=value)


def _decoded(event: Event) -> Any:
    try:
        return event.payload
    except (ValueError, RecursionError):  # Written into the database by another program.
        return bytes(event.payload_json).decode(errors="replace")

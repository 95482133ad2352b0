"""Who cancelled a run, when, and why."""

from __future__ import annotations

from dataclasses import dataclass

from signalbox.store import Event, TaskReading
from signalbox.store.events import is_claim
from signalbox.store.state import Task

ROWS = 200
"""The newest rows before the end in which the request is sought, for a run that an older version recorded."""


@dataclass(frozen=True, kw_only=True)
class Cancellation:
    """The end of a cancelled run. `requests` are the events in which people asked it to stop, the first one first.

    `requests` is empty if nobody did: then the run stopped itself, or was stopped by a signal.
    """

    end: Event | None
    requests: list[Event]


async def cancellation_of(view: TaskReading, task: Task) -> Cancellation | None:
    """Read who cancelled a run. Returns None for a run that was not cancelled."""
    if task.status != "cancelled":
        return None
    found = await view.brief().events_at(task.task_id, [*task.cancel_seqs, task.ended_seq])
    end = next((event for event in found if event.seq == task.ended_seq), None)
    requests = [event for event in found if event.seq in task.cancel_seqs]
    if task.cancel_requested and not requests:
        rows = await view.brief().rows_before(task.task_id, task.ended_seq + 1, ROWS)
        requests = [event for event in rows if event.event_type == "cancel_requested" and not is_claim(event)]
    return Cancellation(end=end, requests=requests)

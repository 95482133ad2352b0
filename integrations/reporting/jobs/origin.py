"""Where a job was enqueued: in a run, of which it becomes a work item, or in another job.

The process that enqueues a job knows this; the worker that runs it needs it. So it travels with the job, as text.
"""

from __future__ import annotations

import json
from typing import Any, NamedTuple

HEADER = "signalbox"
"""The name of the header, the option or the label that has the origin of a job."""

MAX_HEADER_CHARS = 4000


class ItemPlace(NamedTuple):
    """A span of a task, below which a job is a work item. Without `span_id` it is the task's main span."""

    task_id: str
    identity: str | None = None
    span_id: str | None = None
    phase: str | None = None


class Origin(NamedTuple):
    """The place of the work item, if the job is one, and the task of the job that enqueued it, if one did.

    `at` is the time when the job was enqueued, in seconds since 1970.
    """

    place: ItemPlace | None = None
    caller: str | None = None
    at: float | None = None

    def header(self) -> str:
        """Return the text that travels with the job."""
        return json.dumps([self.place, self.caller, self.at])

    @classmethod
    def of_header(cls, text: Any) -> Origin | None:
        """Return the origin that travelled with a job. None if there is none, or the text is not from `header`."""
        if not isinstance(text, str) or len(text) > MAX_HEADER_CHARS:
            return None
        try:
            place, caller, at = json.loads(text)
            found = ItemPlace(*place) if place is not None else None
        except (ValueError, TypeError, RecursionError):
            return None
        texts = [*(found or ()), caller]
        if not all(value is None or isinstance(value, str) for value in texts):
            return None
        return cls(found, caller, at if isinstance(at, int | float) else None)


UNKNOWN = Origin()
"""The origin of a job that was enqueued by a program without this integration."""

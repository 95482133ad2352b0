"""A job of a queue: one attempt to run it, with its names in the log."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from signalbox.integrations.reporting.jobs.arguments import shown_call
from signalbox.integrations.reporting.jobs.origin import UNKNOWN, ItemPlace, Origin

MAX_ID_CHARS = 110
"""Characters of a job's id in the id of its task, which also has the library and the attempt."""

_UNUSABLE = re.compile(r"[^A-Za-z0-9_.:-]+")


@dataclass(frozen=True, kw_only=True)
class QueueJob:
    """An attempt of a job. `attempt` is 1 for the first, `max_attempts` None if it is not limited.

    `arguments` are those that pages may show: see `shown_arguments`. Times are in seconds since 1970.
    """

    library: str
    job_id: str
    name: str
    queue: str | None = None
    arguments: Mapping[str, Any] = field(default_factory=dict)
    attempt: int = 1
    max_attempts: int | None = None
    queued_at: float | None = None
    origin: Origin = UNKNOWN

    @property
    def place(self) -> ItemPlace | None:
        """The span of a run of which the job is a work item. None if it is a task."""
        return self.origin.place

    @property
    def title(self) -> str:
        """The call as a text: the name with short arguments."""
        return shown_call(self.name, self.arguments)

    @property
    def first_task_id(self) -> str:
        """The id of the task of the first attempt."""
        return f"{self.library}:{usable_id(self.job_id)}"

    @property
    def task_id(self) -> str:
        """The id of the task that has this attempt."""
        if self.place is not None:
            return self.place.task_id
        return self.first_task_id if self.attempt == 1 else f"{self.first_task_id}:{self.attempt}"

    @property
    def span_id(self) -> str:
        """The id of the work item's span. All attempts share it."""
        return self.first_task_id

    def metadata(self) -> dict[str, Any]:
        """Return the metadata of the task."""
        retry = {"retry_of": self.first_task_id, "attempt": self.attempt} if self.attempt > 1 else {}
        tags = {"job": self.name, "queue": self.queue, "caller": self.origin.caller}
        facts = {"job_id": self.job_id, "arguments": dict(self.arguments) or None, "max_attempts": self.max_attempts}
        known = {name: value for name, value in facts.items() if value is not None}
        return {"tags": {name: _tag(value) for name, value in tags.items() if value}, **known, **retry}


def usable_id(text: str) -> str:
    """Return an id of a library as a part of a task's id. A changed one ends with its hash, so that ids stay unique."""
    usable = _UNUSABLE.sub("-", text)
    if usable == text and len(text) <= MAX_ID_CHARS:
        return text
    return f"{usable[: MAX_ID_CHARS - 17]}-{hashlib.sha256(text.encode('utf-8', 'replace')).hexdigest()[:16]}"


def _tag(value: str) -> str:
    return " ".join("".join(character if character.isprintable() else " " for character in value).split())[:200]

"""The identity of a task distinguishes it from earlier and later tasks with the same id.

A reference is a text that names a task: `ID`, which means any task that has this id, or `ID@IDENTITY`, which means one
task. An id cannot contain `@`.
"""

from __future__ import annotations

import re
from typing import Annotated, NamedTuple

from msgspec import Meta

from signalbox.store.errors import InvalidEvent, TaskReplaced
from signalbox.store.events import TASK_ID_PATTERN, check_task_id
from signalbox.store.state import Task

REFERENCE_PATTERN = TASK_ID_PATTERN.removesuffix("$") + "(?:@[A-Za-z0-9]{1,64})?$"
TaskReference = Annotated[str, Meta(extra_json_schema={"pattern": REFERENCE_PATTERN})]
_IDENTITY = re.compile(r"[A-Za-z0-9]{1,64}")


class Reference(NamedTuple):
    """A parsed reference. `identity` is None if it means any task with this id."""

    task_id: str
    identity: str | None


def reference_to(task: Task) -> str:
    """Return the reference to this very task."""
    return f"{task.task_id}@{task.identity}" if task.identity else task.task_id


def parse_reference(text: str, field: str = "task") -> Reference:
    """Parse a reference. Raises InvalidEvent with this `field`."""
    task_id, mark, identity = text.partition("@")
    if mark and not _IDENTITY.fullmatch(identity):
        raise InvalidEvent(f"after @, {field} must have the identity of a task", field)
    return Reference(check_task_id(task_id, field), identity or None)


def check_identity(task_id: str, meant: str | None, found: str) -> None:
    """Raise TaskReplaced if the caller means the task with the identity `meant`, but the id belongs to `found` now.

    If `meant` is None or empty, the caller means any task with this id.
    """
    if meant and meant != found:
        raise TaskReplaced(task_id)

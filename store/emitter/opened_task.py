"""The task that an emitter was opened for, which it must not mistake for a later task with the same id."""

from __future__ import annotations

import logging

from signalbox.store.events import Event, NewEvent
from signalbox.store.log import unstored
from signalbox.store.loops import report
from signalbox.store.state import Task


class OpenedTask:
    """The identity of the opened task, and whether the task was deleted since.

    With `identity` instead of `task`, every append must go to a task with this identity.
    """

    def __init__(self, task: Task | None, identity: str | None = None) -> None:
        self._task, self._identity = task, identity
        self._deleted = False

    def identity_for(self, task_id: str) -> str | None:
        """Return the identity that an append to `task_id` must name; None for any task that has this id."""
        if self._task is None:
            return self._identity or None
        if task_id != self._task.task_id:
            return None
        # An older server sends no identities.
        return self._task.identity or None

    def is_deleted(self, task_id: str) -> bool:
        """Return whether `task_id` is the opened task and an append found it deleted."""
        return self._deleted and self.identity_for(task_id) is not None

    def mark_deleted(self, task_id: str, event: NewEvent) -> Event:
        """Record that the task was deleted, warn about it, and return `event` as an event that was not stored."""
        self._deleted = True
        report(logging.WARNING, "events are dropped: the task was deleted", None, task_id=task_id)
        return self.unstored(task_id, event)

    def unstored(self, task_id: str, event: NewEvent) -> Event:
        """Return `event` as an event that was not stored. Its `event_id` and `seq` are 0, which no stored event has."""
        return unstored(task_id, event, self._task.main_span_id if self._task else "")

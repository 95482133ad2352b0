"""The log that the jobs of a test wrote, read while they still run."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from signalbox.store import Event, UnknownTask, open_store
from signalbox.store.state import Span, Task
from tests.support.log import log_of, spans_of, task_of, tasks_of
from tests.support.waiting import wait_until


class Stored:
    """Reads the store at `url`."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._store = open_store(url)

    def close(self) -> None:
        """Close the store."""
        self._store.close()

    def task(self, task_id: str, status: str = "done") -> Task:
        """Wait until the task has this status, and return it."""

        def found() -> Task | None:
            with suppress(UnknownTask):
                task = task_of(self._store, task_id)
                return task if task.status == status else None
            return None

        return wait_until(found, 30, f"the task {task_id} did not become {status}: {self.statuses()}")

    def statuses(self) -> dict[str, str]:
        """Return the status of each task."""
        return {task.task_id: task.status for task in tasks_of(self._store)}

    def events(self, task_id: str) -> list[Event]:
        """Return the events of a task, without heartbeats."""
        return [event for event in log_of(self._store, task_id) if event.event_type != "runner_heartbeat"]

    def types(self, task_id: str) -> list[str]:
        """Return the types of the events of a task."""
        return [event.event_type for event in self.events(task_id)]

    def payload(self, task_id: str, event_type: str) -> dict[str, Any]:
        """Return the payload of the last event of a type."""
        return [event.payload for event in self.events(task_id) if event.event_type == event_type][-1]

    def span(self, task_id: str, name: str, state: str = "done") -> Span:
        """Wait until the task has a span of this name in this state, and return it."""

        def found() -> Span | None:
            with suppress(UnknownTask):
                span = spans_of(self._store, task_id).get(name)
                return span if span is not None and span.state == state else None
            return None

        return wait_until(found, 30, f"the span {name} of {task_id} did not become {state}")

"""Decides when a trace is complete. A trace has no end of its own: it only stops sending.

- A trace whose root spans have ended is complete after `quiet` seconds without an event.
- A trace without a root span, and the log of a service, end after `timeout` seconds without one: the root may still
  be running, or its program may report elsewhere. If a span is known to be running, they go on.
"""

from __future__ import annotations

from dataclasses import dataclass

from signalbox.store import NewEvent
from signalbox.store.state import Task
from signalbox.store.traces.tasks import METADATA_KEY
from signalbox.webapp.settings import Settings


@dataclass(frozen=True)
class TraceCompletion:
    """The seconds of silence after which traces are complete."""

    quiet: float
    timeout: float

    @classmethod
    def of(cls, settings: Settings) -> TraceCompletion:
        """Return the seconds that the settings say."""
        return cls(settings.trace_quiet, settings.trace_timeout)

    @property
    def shortest(self) -> float:
        """The shorter of the two."""
        return min(self.quiet, self.timeout)

    def event(self, task: Task, silent_seconds: float) -> NewEvent | None:
        """Return the event that completes the trace of a task after this silence, or None."""
        waited = self._wait(task)
        if waited is None or silent_seconds < waited:
            return None
        return NewEvent(
            event_type="trace_complete",
            actor="supervisor",
            span_id=(task.trace and task.trace.span_id) or None,
            key=f"signalbox:trace-complete:{task.latest_seq}",
            occurred_at=(task.trace and task.trace.ended_at) or task.updated_at,
            payload={"quiet": waited},
        )

    def _wait(self, task: Task) -> float | None:
        """Return the seconds of silence that complete the trace, or None if it is no trace or still runs."""
        trace = task.trace
        if task.spawn_seq or task.status != "running":
            return None
        if trace is None:
            return self.timeout if METADATA_KEY in task.metadata else None
        if trace.has_root:
            return self.quiet if not trace.open_roots else None
        return self.timeout if not task.spans_open else None

"""Where a job was enqueued: in a run, of which it becomes a work item, or in another job.

The process that enqueues a job knows this; the worker that runs it needs it. So it travels with the job, as text.
"""

from __future__ import annotations

import json
import sys
import time
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, NamedTuple

from signalbox.integrations.target import ReportTarget, current_task, target

if TYPE_CHECKING:
    from signalbox.integrations.jobs.job import Job

HEADER = "signalbox"
"""The name of the header, the option or the label that has the origin of a job."""

MAX_HEADER_CHARS = 4000

_CURRENT = "signalbox.store.emitter.current"
"""The module with the run around the caller."""


class Place(NamedTuple):
    """A span of a task, below which a job is a work item. Without `span_id` it is the task's main span."""

    task_id: str
    identity: str | None = None
    span_id: str | None = None
    phase: str | None = None


class Origin(NamedTuple):
    """The place of the work item, if the job is one, and the task of the job that enqueued it, if one did.

    `at` is the time when the job was enqueued, in seconds since 1970.
    """

    place: Place | None = None
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
            found = Place(*place) if place is not None else None
        except (ValueError, TypeError):
            return None
        texts = [*(found or ()), caller]
        if not all(value is None or isinstance(value, str) for value in texts):
            return None
        return cls(found, caller, at if isinstance(at, int | float) else None)


UNKNOWN = Origin()
"""The origin of a job that was enqueued by a program without this integration."""


class RunningJob(NamedTuple):
    """A job that runs around the caller. `outer` is the run that was open around it when it began."""

    job: Job
    outer: Any


running_job: ContextVar[RunningJob | None] = ContextVar("signalbox_running_job", default=None)
"""The job that runs around the caller in this thread or asyncio task."""


def origin_here(chosen: ReportTarget, *, work_items: bool) -> Origin:
    """Return the origin of a job that the caller enqueues now. With `work_items` it belongs to the run around it."""
    now = time.time()
    running, run = running_job.get(), outer_run()
    if running is not None and running.outer is run:
        job = running.job
        if job.place is not None:
            return Origin(job.place._replace(span_id=job.span_id), None, now)
        return Origin(None, job.task_id, now)
    if not work_items:
        return Origin(None, None, now)
    if run is not None and _same_log(run.log_url, chosen):
        scope = sys.modules[_CURRENT].current_run().scope
        return Origin(Place(scope.task_id, run.identity, scope.span_id, scope.phase_name), None, now)
    named = current_task(chosen) if run is None else None
    return Origin(Place(named.task_id, named.identity) if named is not None else None, None, now)


def outer_run() -> Any:
    """Return the run that is open around the caller. None if there is none."""
    # A program without `open_task` has not loaded this module, and needs not.
    module = sys.modules.get(_CURRENT)
    return module.innermost_run.get() if module is not None else None


def _same_log(url: str, chosen: ReportTarget) -> bool:
    """Return whether a run on the log `url` reports to the same log as the jobs."""
    return target(url).url.rstrip("/") == chosen.url.rstrip("/")

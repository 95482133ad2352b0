"""The job or the run around the caller, to which the jobs that it enqueues belong."""

from __future__ import annotations

import sys
import time
from contextvars import ContextVar
from typing import Any, NamedTuple

from signalbox.integrations.reporting.jobs.origin import ItemPlace, Origin
from signalbox.integrations.reporting.jobs.queue_job import QueueJob
from signalbox.integrations.reporting.target import ReportTarget, current_task, target

_CURRENT = "signalbox.store.emitter.current"
"""The module with the run around the caller."""


class RunningJob(NamedTuple):
    """A job that runs around the caller. `outer` is the run that was open around it when it began."""

    job: QueueJob
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
        return Origin(ItemPlace(scope.task_id, run.identity, scope.span_id, scope.phase_name), None, now)
    named = current_task(chosen) if run is None else None
    return Origin(ItemPlace(named.task_id, named.identity) if named is not None else None, None, now)


def outer_run() -> Any:
    """Return the run that is open around the caller. None if there is none."""
    # A program without `open_task` has not loaded this module, and needs not.
    module = sys.modules.get(_CURRENT)
    return module.innermost_run.get() if module is not None else None


def _same_log(url: str, chosen: ReportTarget) -> bool:
    """Return whether a run on the log `url` reports to the same log as the jobs."""
    return target(url).url.rstrip("/") == chosen.url.rstrip("/")

"""Procrastinate: each job is a task of Signalbox.

from signalbox.integrations import procrastinate as signalbox_procrastinate
signalbox_procrastinate.install(app)

Call this in the module of the app, so that workers and programs that defer jobs do.
"""

from __future__ import annotations

import asyncio
from typing import Any

from procrastinate.exceptions import JobAborted
from procrastinate.job_context import AbortReason

from signalbox.integrations.reporting.jobs import JobReporter, Origin, QueueJob, ReportedError, quiet


def install(app: Any, store: str | None = None, **options: Any) -> None:
    """Report the jobs of an `App`. The options are those of `JobReporter`.

    Workers that get a `worker_middleware` of their own report only if it has that of `app.worker_defaults` too.
    """
    hooks = _Hooks(JobReporter("procrastinate", store, **options))
    before = app.worker_defaults.get("worker_middleware") or []
    app.worker_defaults = {**app.worker_defaults, "worker_middleware": [hooks.around_job, *before]}
    manager = app.job_manager
    defer, defer_async = manager.batch_defer_jobs, manager.batch_defer_jobs_async

    def batch_defer_jobs(*args: Any, **kwargs: Any) -> Any:
        jobs = defer(*args, **kwargs)
        hooks.report_deferred(jobs)
        return jobs

    async def batch_defer_jobs_async(*args: Any, **kwargs: Any) -> Any:
        jobs = await defer_async(*args, **kwargs)
        hooks.report_deferred(jobs)
        return jobs

    manager.batch_defer_jobs, manager.batch_defer_jobs_async = batch_defer_jobs, batch_defer_jobs_async


class _Hooks:
    def __init__(self, reporter: JobReporter) -> None:
        self._reporter = reporter

    @quiet
    def report_deferred(self, jobs: list[Any]) -> None:
        """Report jobs that wait. A job has no room for its origin, so a tag names the run or job that deferred it."""
        origin = self._reporter.origin_here()
        caller = origin.place.task_id if origin.place is not None else origin.caller
        for deferred in jobs:
            job = self._job(deferred, Origin(None, caller, origin.at))
            self._reporter.enqueued(job)
            if caller is not None:  # a worker that was faster has created the task without this tag
                self._reporter.writer.append(job.task_id, "tags_changed", {"tags": {"caller": caller}})

    async def around_job(self, call_next: Any, context: Any, worker: Any) -> Any:
        """Run a job and report its life: a worker middleware of Procrastinate."""
        job = self._started(context)
        try:
            result = await call_next()
        except BaseException as error:
            self._report_error(job, context, error)
            raise
        if job is not None:
            self._reporter.succeeded(job, result)
        return result

    @quiet
    def _started(self, context: Any) -> QueueJob:
        job = self._job(context.job, Origin())
        self._reporter.started(job, worker=context.worker_name)
        return job

    @quiet
    def _report_error(self, job: QueueJob | None, context: Any, error: BaseException) -> None:
        if job is None:
            return
        stopping = context.abort_reason() == AbortReason.SHUTDOWN
        aborted = isinstance(error, JobAborted | asyncio.CancelledError)
        if aborted and not stopping:
            self._reporter.cancelled(job, "aborted")
            return
        again = context.task.get_retry_exception(exception=error, job=context.job)
        if again is not None:
            at = again.retry_decision.retry_at
            delay = at.timestamp() - context.start_timestamp if at is not None else None
            self._reporter.retried(job, ReportedError.of(error), delay=delay)
        elif aborted:
            self._reporter.interrupted(job, ReportedError("Interrupted", "the worker was stopped"))
        else:
            self._reporter.failed(job, ReportedError.of(error))

    def _job(self, job: Any, origin: Origin) -> QueueJob:
        return QueueJob(
            library="procrastinate",
            job_id=str(job.id),
            name=job.task_name,
            queue=job.queue,
            arguments=self._reporter.arguments((), job.task_kwargs),
            attempt=job.attempts + 1,
            queued_at=origin.at,
            origin=origin,
        )

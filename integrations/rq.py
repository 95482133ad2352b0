"""RQ: each job is a task of Signalbox, or a work item of the run that enqueued it.

rq worker --worker-class signalbox.integrations.rq.SignalboxWorker

Programs and jobs that enqueue jobs use `SignalboxQueue` in place of `rq.Queue`. Another class of workers reports with
the mixin: `class MyWorker(ReportsJobs, rq.worker.SpawnWorker)`. The environment names the target, or `configure`.
"""

from __future__ import annotations

from traceback import format_exception
from typing import Any

from rq import Queue, SimpleWorker, Worker
from rq.exceptions import NoSuchJobError
from rq.job import Job as RqJob

from signalbox.integrations.reporting.jobs import JobReporter, Origin, QueueJob, ReportedError, quiet
from signalbox.integrations.reporting.jobs.origin import HEADER

_RETRIES = "signalbox_retries"
"""The key in the meta data of a job with the retries that it began with, because RQ counts them down."""

_ERROR, _ERROR_SECONDS = "signalbox:rq:error:{}", 600
"""The key in Redis with the traceback of a failed attempt, which RQ does not keep if it runs the job again."""

_HORSE_FLUSH_S = 0.5
"""Seconds for which a forked process waits for the events of its job, such as jobs that it enqueued, before it ends."""

_reporters: dict[int, JobReporter] = {}


def configure(store: str | None = None, **options: Any) -> None:
    """Set the target and the options of `JobReporter` for this program. Without it the environment says where to."""
    _reporters[0] = JobReporter("rq", store, **options)


def _reporter() -> JobReporter:
    if not _reporters:
        configure()
    return _reporters[0]


class SignalboxQueue(Queue):
    """A queue that reports the jobs that are enqueued with it."""

    def create_job(self, *args: Any, **kwargs: Any) -> Any:
        job = super().create_job(*args, **kwargs)
        _sign(job)
        return job

    def _enqueue_job(self, job: Any, *args: Any, **kwargs: Any) -> Any:
        enqueued = super()._enqueue_job(job, *args, **kwargs)
        if self.is_async:
            _report_enqueued(enqueued, self.name)
        return enqueued

    def schedule_job(self, job: Any, *args: Any, **kwargs: Any) -> Any:
        scheduled = super().schedule_job(job, *args, **kwargs)
        _report_enqueued(scheduled, self.name)
        return scheduled


class ReportsJobs:
    """A mixin for classes of workers. The process that forks reports, so it notices a job that kills its process."""

    def execute_job(self, job: Any, queue: Any) -> Any:
        attempt = _report_started(self, job)
        try:
            return super().execute_job(job, queue)  # type: ignore[misc]
        finally:
            _report_ended(self, job, attempt)

    def handle_work_horse_killed(self, job: Any, *args: Any) -> Any:
        job.signalbox_killed = True
        return super().handle_work_horse_killed(job, *args)  # type: ignore[misc]

    def handle_exception(self, job: Any, *exc_info: Any) -> Any:
        _keep_error(self, job, exc_info)
        return super().handle_exception(job, *exc_info)  # type: ignore[misc]

    def perform_job(self, *args: Any, **kwargs: Any) -> Any:
        try:
            return super().perform_job(*args, **kwargs)  # type: ignore[misc]
        finally:
            if getattr(self, "is_horse", False):
                _flush_horse()


class SignalboxWorker(ReportsJobs, Worker):
    """RQ's worker, which forks a process for each job."""


class SignalboxSimpleWorker(ReportsJobs, SimpleWorker):
    """RQ's worker that runs the jobs in its own process."""


@quiet
def _sign(job: Any) -> None:
    if HEADER not in job.meta:
        job.meta[HEADER] = _reporter().origin_here().header()
        if job.retries_left is not None:
            job.meta[_RETRIES] = job.retries_left


@quiet
def _report_enqueued(job: Any, queue: str) -> None:
    reported = _job(job, queue=queue)
    if reported.attempt == 1:  # the worker reports the next ones
        _reporter().enqueued(reported)


@quiet
def _report_started(worker: Any, job: Any) -> QueueJob:
    started = _job(job)
    _reporter().started(started, worker=worker.name)
    return started


@quiet
def _keep_error(worker: Any, job: Any, exc_info: Any) -> None:
    if job.should_retry:
        worker.connection.set(_ERROR.format(job.id), "".join(format_exception(*exc_info)), ex=_ERROR_SECONDS)


@quiet
def _report_ended(worker: Any, job: Any, started: QueueJob | None) -> None:
    """Report the state in which the job is in Redis, where the forked process has stored it."""
    reporter = _reporter()
    # First: what follows fails if Redis is away.
    reporter.left(started)
    if started is None:
        return
    try:
        stored = RqJob.fetch(job.id, connection=worker.connection, serializer=job.serializer)
    except NoSuchJobError:  # without a time to live for its result a job is deleted when it succeeded
        reporter.succeeded(started)
        return
    status, latest = str(getattr(stored.get_status(refresh=False), "value", "")), stored.latest_result()
    trace = latest.exc_string if latest is not None else None
    if getattr(job, "signalbox_killed", False):
        message = "the process of the job was killed"
        reporter.interrupted(started, ReportedError("WorkHorseKilled", (trace or message).strip().rstrip(";"), None))
    elif _job(stored).attempt > started.attempt:
        kept = worker.connection.getdel(_ERROR.format(job.id))
        reporter.retried(started, ReportedError.of_text(kept.decode() if kept is not None else trace, "Retry"))
    elif status == "finished":
        reporter.succeeded(started, latest.return_value if latest is not None else None)
    elif status in ("stopped", "canceled"):
        reporter.cancelled(started, status)
    else:
        reporter.failed(started, ReportedError.of_text(trace))


@quiet
def _flush_horse() -> None:
    # It ends with os._exit, which runs no exit handlers.
    _reporter().writer.flush(_HORSE_FLUSH_S)


def _job(job: Any, queue: str | None = None) -> QueueJob:
    reporter, origin = _reporter(), Origin.of_header(job.meta.get(HEADER)) or Origin()
    enqueued = job.enqueued_at.timestamp() if job.enqueued_at is not None else origin.at
    left, first = job.retries_left, job.meta.get(_RETRIES)
    retries = (job.number_of_retries or 0) + (first - left if isinstance(first, int) and left is not None else 0)
    return QueueJob(
        library="rq",
        job_id=job.id,
        name=job.func_name or job.description or "job",
        queue=queue or job.origin or None,
        arguments=reporter.arguments(job.args, job.kwargs),
        attempt=retries + 1,
        max_attempts=retries + left + 1 if left is not None else None,
        queued_at=enqueued,
        origin=origin,
    )

"""arq: each job is a task of Signalbox, or a work item of the run that enqueued it.

@report_jobs()
class WorkerSettings:
    functions = [send_mail]

pool = report_enqueued(await create_pool())

The worker reports what its jobs do, and the jobs that they enqueue. A program reports the jobs that it enqueues, and
the run that they belong to, if its pool went through `report_enqueued`.
"""

from __future__ import annotations

import asyncio
import dataclasses
import functools
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar
from uuid import uuid4

from arq.connections import ArqRedis
from arq.constants import default_queue_name
from arq.cron import CronJob
from arq.jobs import Job as ArqJob
from arq.utils import import_string
from arq.worker import Function, Retry, RetryJob

from signalbox.integrations.reporting.jobs import JobReporter, Origin, QueueJob, ReportedError, quiet

_KEY = "signalbox:origin:{}"
"""The key in Redis with the origin of a job, because jobs of arq have no headers."""

_KEY_SECONDS = 7 * 86400

_DEFAULT_MAX_TRIES = 5

_CANCELLED = "signalbox_cancelled"
"""The key in the context of a job that was cancelled, with the `QueueJob`. Its result says why."""

Settings = TypeVar("Settings", bound=type)


def report_jobs(store: str | None = None, **options: Any) -> Callable[[Settings], Settings]:
    """Decorate the settings of a worker, so that it reports its jobs. The options are those of `JobReporter`."""
    reporter = JobReporter("arq", store, **options)

    def decorate(settings: Settings) -> Settings:
        hooks = _Hooks(reporter, settings)
        settings.functions = [hooks.wrapped(function) for function in getattr(settings, "functions", ())]  # type: ignore[attr-defined]
        if cron_jobs := getattr(settings, "cron_jobs", None):
            settings.cron_jobs = [hooks.wrapped(job) for job in cron_jobs]  # type: ignore[attr-defined]
        settings.after_job_end = staticmethod(hooks.after_job_end(getattr(settings, "after_job_end", None)))  # type: ignore[attr-defined]
        return settings

    return decorate


def report_enqueued(pool: ArqRedis, store: str | None = None, **options: Any) -> ArqRedis:
    """Report the jobs that are enqueued with this pool, and return it."""
    return _with_reports(pool, JobReporter("arq", store, **options))


def _with_reports(pool: Any, reporter: JobReporter) -> Any:
    if getattr(pool.enqueue_job, "reports_to_signalbox", False):
        return pool
    enqueue = pool.enqueue_job

    @functools.wraps(enqueue)
    async def enqueue_job(function: str, *args: Any, _job_id: str | None = None, **kwargs: Any) -> Any:
        job_id = _job_id or uuid4().hex
        origin = reporter.origin_here()
        if origin.place is not None or origin.caller is not None:
            # Before the job, so that no worker can be faster.
            with suppress(Exception):
                await pool.set(_KEY.format(job_id), origin.header(), ex=_KEY_SECONDS, nx=True)
        job = await enqueue(function, *args, _job_id=job_id, **kwargs)
        if job is not None:  # None: the id is in use
            shown = {name: value for name, value in kwargs.items() if not name.startswith("_")}
            queue = kwargs.get("_queue_name") or pool.default_queue_name
            reporter.enqueued(_job(reporter, job_id, function, queue, args, shown, origin=origin))
        return job

    enqueue_job.reports_to_signalbox = True  # type: ignore[attr-defined]
    pool.enqueue_job = enqueue_job
    return pool


class _Hooks:
    def __init__(self, reporter: JobReporter, settings: type) -> None:
        self._reporter = reporter
        self._queue = getattr(settings, "queue_name", None) or default_queue_name
        self._max_tries = getattr(settings, "max_tries", _DEFAULT_MAX_TRIES)
        self._retries = getattr(settings, "retry_jobs", True)

    def wrapped(self, function: Any) -> Any:
        """Return a function or a cron job of the settings that reports."""
        if isinstance(function, str):
            function = import_string(function)
        if not isinstance(function, Function | CronJob):
            return self._reporting(function, function.__qualname__, None)
        coroutine = self._reporting(function.coroutine, function.name, function.max_tries)
        return dataclasses.replace(function, coroutine=coroutine)

    def after_job_end(self, own: Any) -> Any:
        """Return the hook that reports a cancelled job, and then calls the `own` hook of the settings."""

        async def after_job_end(ctx: dict[Any, Any]) -> None:
            cancelled = ctx.pop(_CANCELLED, None)
            if cancelled is not None:
                self._reporter.left(cancelled[0])
                with suppress(Exception):
                    await self._report_cancelled(ctx, *cancelled)
            if own is not None:
                await own(ctx)

        return after_job_end

    def _reporting(self, coroutine: Any, name: str, max_tries: int | None) -> Any:
        limit = self._max_tries if max_tries is None else max_tries

        @functools.wraps(coroutine)
        async def reporting(ctx: dict[Any, Any], *args: Any, **kwargs: Any) -> Any:
            job = await self._started(ctx, name, args, kwargs, limit)
            try:
                result = await coroutine(ctx, *args, **kwargs)
            except asyncio.CancelledError as error:
                # A timeout, an abort, or the end of the worker: the result will tell.
                ctx[_CANCELLED] = (job, ReportedError.of(error))
                raise
            except (Retry, RetryJob) as error:
                self._report_retry(job, error, limit)
                raise
            except Exception as error:
                self._reporter.failed(job, ReportedError.of(error))
                raise
            self._reporter.succeeded(job, result)
            return result

        return reporting

    async def _started(self, ctx: dict[Any, Any], name: str, args: Any, kwargs: Any, limit: int) -> QueueJob:
        redis, header = ctx.get("redis"), None
        if redis is not None:
            with suppress(Exception):
                _with_reports(redis, self._reporter)
                header = await redis.get(_KEY.format(ctx["job_id"]))
        origin = Origin.of_header(header.decode() if isinstance(header, bytes) else header) or Origin()
        enqueued = ctx.get("enqueue_time")
        at = enqueued.timestamp() if enqueued is not None else None
        job_id, attempt = str(ctx.get("job_id")), int(ctx.get("job_try") or 1)
        job = _job(self._reporter, job_id, name, self._queue, args, kwargs, attempt, limit, at, origin)
        self._reporter.started(job)
        return job

    @quiet
    def _report_retry(self, job: QueueJob, error: Any, limit: int) -> None:
        cause = error.__cause__ or error.__context__ or error
        if not self._retries or job.attempt >= limit:
            self._reporter.failed(job, ReportedError.of(cause))
        else:
            delay = getattr(error, "defer_score", None)
            self._reporter.retried(job, ReportedError.of(cause), delay=delay / 1000 if delay else None)

    async def _report_cancelled(self, ctx: dict[Any, Any], job: QueueJob, failure: ReportedError) -> None:
        info = await ArqJob(job.job_id, ctx["redis"], _queue_name=self._queue).result_info()
        if info is None:
            self._reporter.interrupted(job, ReportedError("Interrupted", "the worker was stopped", failure.traceback))
        elif isinstance(info.result, asyncio.CancelledError):
            self._reporter.cancelled(job, "aborted")
        else:
            self._reporter.failed(
                job, ReportedError(type(info.result).__name__, "the job took too long", failure.traceback)
            )


def _job(
    reporter: JobReporter,
    job_id: str,
    name: str,
    queue: str,
    args: Any,
    kwargs: Any,
    attempt: int = 1,
    max_attempts: int | None = None,
    queued_at: float | None = None,
    origin: Origin | None = None,
) -> QueueJob:
    return QueueJob(
        library="arq",
        job_id=job_id,
        name=name,
        queue=queue,
        arguments=reporter.arguments(args, kwargs),
        attempt=attempt,
        max_attempts=max_attempts,
        queued_at=queued_at,
        origin=origin or Origin(),
    )

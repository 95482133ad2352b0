"""Celery: each job is a task of Signalbox, or a work item of the run that enqueued it.

from signalbox.integrations import celery as signalbox_celery
signalbox_celery.install()

Call this in the module of the app, so that workers and programs that enqueue jobs do. It connects signals, and works
with all pools: after a fork each process reports by itself.
"""

from __future__ import annotations

import time
from typing import Any

from celery import signals
from celery.exceptions import Ignore, Reject, Retry, WorkerLostError

from signalbox.integrations.reporting.jobs import JobReporter, Origin, QueueJob, ReportedError, quiet
from signalbox.integrations.reporting.jobs.origin import HEADER

_UID = "signalbox"


def install(store: str | None = None, **options: Any) -> None:
    """Report all Celery jobs that this process enqueues or runs. The options are those of `JobReporter`."""
    hooks = _Hooks(JobReporter("celery", store, **options))
    for name in (
        "before_task_publish",
        "after_task_publish",
        "task_prerun",
        "task_postrun",
        "task_retry",
        "task_failure",
        "task_revoked",
        "worker_init",
    ):
        getattr(signals, name).connect(getattr(hooks, name), weak=False, dispatch_uid=f"{_UID}-{name}")


def uninstall() -> None:
    """Report no more jobs."""
    for name in dir(_Hooks):
        if not name.startswith("_"):
            getattr(signals, name).disconnect(dispatch_uid=f"{_UID}-{name}")


class _Hooks:
    def __init__(self, reporter: JobReporter) -> None:
        self._reporter = reporter

    @quiet
    def worker_init(self, **_: Any) -> None:
        self._reporter.load()  # before the pool forks, so that its processes need not

    @quiet
    def before_task_publish(self, sender: Any = None, headers: Any = None, **_: Any) -> None:
        # A retry keeps the header of the first attempt.
        if isinstance(headers, dict) and HEADER not in headers:
            headers[HEADER] = self._reporter.origin_here().header()

    @quiet
    def after_task_publish(
        self, sender: Any = None, headers: Any = None, body: Any = None, routing_key: Any = None, **_: Any
    ) -> None:
        if not isinstance(headers, dict) or headers.get("retries"):
            return  # `task_retry` reports the next attempt
        args, kwargs = body[:2] if isinstance(body, tuple | list) else ((), {})
        origin = Origin.of_header(headers.get(HEADER)) or Origin()
        job = QueueJob(
            library="celery",
            job_id=str(headers["id"]),
            name=str(sender),
            queue=routing_key or None,
            arguments=self._reporter.arguments(args, kwargs),
            queued_at=origin.at,
            origin=origin,
        )
        self._reporter.enqueued(job)

    @quiet
    def task_prerun(self, sender: Any = None, task: Any = None, args: Any = (), kwargs: Any = None, **_: Any) -> None:
        job = self._job(task, task.request, args, kwargs)
        self._reporter.started(job, worker=task.request.hostname)

    @quiet
    def task_postrun(
        self,
        sender: Any = None,
        task: Any = None,
        args: Any = (),
        kwargs: Any = None,
        retval: Any = None,
        state: Any = None,
        **_: Any,
    ) -> None:
        job = self._job(task, task.request, args, kwargs)
        if state == "SUCCESS":
            self._reporter.succeeded(job, retval)
        elif isinstance(retval, Ignore | Reject):
            self._reporter.cancelled(job, f"the job raised {type(retval).__name__}")
        self._reporter.left(job)

    @quiet
    def task_retry(
        self, sender: Any = None, request: Any = None, reason: Any = None, einfo: Any = None, **_: Any
    ) -> None:
        job = self._job(sender, request, request.args, request.kwargs)
        error = reason.exc if isinstance(reason, Retry) and reason.exc is not None else reason
        failure = _failure(error, einfo)
        self._reporter.retried(job, failure, delay=_seconds_until(getattr(reason, "when", None)))

    @quiet
    def task_failure(
        self,
        sender: Any = None,
        task_id: Any = None,
        exception: Any = None,
        args: Any = (),
        kwargs: Any = None,
        einfo: Any = None,
        **_: Any,
    ) -> None:
        request = sender.request
        if request.id != task_id:
            # The main process of the worker reports a job whose process is lost or was killed after its time limit.
            request = _request_of(task_id) or request
        job = self._job(sender, request, args, kwargs, job_id=task_id)
        failure = _failure(exception, einfo)
        if isinstance(exception, WorkerLostError):
            self._reporter.interrupted(job, failure)
        else:
            self._reporter.failed(job, failure)

    @quiet
    def task_revoked(
        self, sender: Any = None, request: Any = None, terminated: Any = None, expired: Any = None, **_: Any
    ) -> None:
        job = self._job(sender, request, request.args, request.kwargs)
        self._reporter.cancelled(job, "expired" if expired else "terminated" if terminated else "revoked")

    def _job(self, task: Any, request: Any, args: Any, kwargs: Any, job_id: str | None = None) -> QueueJob:
        delivery, headers = request.delivery_info or {}, request.headers or {}
        origin = Origin.of_header(headers.get(HEADER))
        if origin is None:
            origin = self._reporter.origin_here() if request.is_eager else Origin()
        limit = task.max_retries
        return QueueJob(
            library="celery",
            job_id=str(job_id or request.id),
            name=str(request.shadow or task.name),
            queue=delivery.get("routing_key") or None,
            arguments=self._reporter.arguments(args or (), kwargs or {}),
            attempt=int(request.retries or 0) + 1,
            max_attempts=limit + 1 if isinstance(limit, int) else None,
            queued_at=origin.at,
            origin=origin,
        )


def _failure(error: Any, einfo: Any) -> ReportedError:
    trace = str(einfo.traceback) if getattr(einfo, "traceback", None) else None
    return (
        ReportedError.of(error, trace)
        if isinstance(error, BaseException)
        else ReportedError("Retry", str(error), trace)
    )


def _request_of(task_id: Any) -> Any:
    """Return the context of a job that this worker's main process has reserved."""
    from celery.worker import state

    request = state.requests.get(task_id)
    return request._context if request is not None else None


def _seconds_until(when: Any) -> float | None:
    if isinstance(when, int | float):
        return float(when)
    return max(0.0, when.timestamp() - time.time()) if hasattr(when, "timestamp") else None

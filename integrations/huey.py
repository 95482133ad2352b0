"""Huey: each task is a task of Signalbox, or a work item of the run that enqueued it.

from signalbox.integrations import huey as signalbox_huey
signalbox_huey.install(huey)

Call this in the module that makes the `Huey` object, so that consumers and programs that enqueue tasks do.
"""

from __future__ import annotations

from typing import Any

from huey import signals
from huey.exceptions import CancelExecution, TaskLockedException

from signalbox.integrations.reporting.jobs import JobReporter, Origin, QueueJob, ReportedError, quiet

_KEY = "signalbox.{}"
"""The key in Huey's storage with the origin and the attempt of a task, because a task of Huey has no headers."""

_UNTIL_NOW = {
    signals.SIGNAL_REVOKED: "revoked",
    signals.SIGNAL_EXPIRED: "expired",
    signals.SIGNAL_CANCELED: "cancelled",
}


def install(huey: Any, store: str | None = None, **options: Any) -> None:
    """Report the tasks of a `Huey` object. The options are those of `JobReporter`."""
    hooks = _Hooks(huey, JobReporter("huey", store, **options))
    huey.signal()(hooks.on_signal)
    huey.post_execute("signalbox")(hooks.after_execution)


class _Hooks:
    def __init__(self, huey: Any, reporter: JobReporter) -> None:
        self._huey, self._reporter = huey, reporter

    @quiet
    def on_signal(self, signal: str, task: Any, *_: Any) -> None:
        if signal in (signals.SIGNAL_ENQUEUED, signals.SIGNAL_SCHEDULED):
            self._enqueued(task)
        elif signal == signals.SIGNAL_EXECUTING:
            self._reporter.started(self._job(task))
        elif signal in _UNTIL_NOW:
            self._reporter.cancelled(self._job(task), _UNTIL_NOW[signal])
        elif signal == signals.SIGNAL_INTERRUPTED:
            self._reporter.interrupted(self._job(task), ReportedError("Interrupted", "the consumer was stopped"))

    @quiet
    def after_execution(self, task: Any, value: Any, error: BaseException | None) -> None:
        """Report the end of a task. Huey runs it again if it has retries left."""
        job = self._job(task)
        if error is None:
            self._reporter.succeeded(job, value)
        elif task.retries:
            # `retries` counts down, and `RetryTask` adds one, so the number of the attempt is kept in the storage.
            self._huey.put(_KEY.format(task.id), [job.origin.header(), job.attempt + 1])
            self._reporter.retried(job, ReportedError.of(error), delay=task.retry_delay or None)
            return
        elif isinstance(error, TaskLockedException):
            self._reporter.cancelled(job, str(error))
        elif not isinstance(error, CancelExecution):
            self._reporter.failed(job, ReportedError.of(error))
        if job.attempt > 1 or job.origin != Origin():
            self._huey.delete(_KEY.format(task.id))

    def _enqueued(self, task: Any) -> None:
        kept = self._kept(task)
        if kept is None:
            origin = self._reporter.origin_here()
            if origin.place is not None or origin.caller is not None:
                self._huey.put(_KEY.format(task.id), [origin.header(), 1])
            self._reporter.enqueued(self._job(task))

    def _kept(self, task: Any) -> Any:
        return self._huey.get(_KEY.format(task.id), peek=True)

    def _job(self, task: Any) -> QueueJob:
        header, attempt = self._kept(task) or (None, 1)
        origin = Origin.of_header(header) or Origin()
        return QueueJob(
            library="huey",
            job_id=str(task.id),
            name=task.name,
            queue=self._huey.name,
            arguments=self._reporter.arguments(task.args, task.kwargs),
            attempt=attempt,
            max_attempts=attempt + task.retries if task.retries else None,
            queued_at=origin.at,
            origin=origin,
        )

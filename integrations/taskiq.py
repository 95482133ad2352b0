"""taskiq: each task is a task of Signalbox, or a work item of the run that enqueued it.

from signalbox.integrations.taskiq import SignalboxTaskiqMiddleware
broker = broker.with_middlewares(SignalboxTaskiqMiddleware())

Add it to the broker of workers and of programs that enqueue tasks. Its place among other middleware does not matter.
"""

from __future__ import annotations

import asyncio
from typing import Any

from taskiq import TaskiqMiddleware
from taskiq.exceptions import NoResultError

from signalbox.integrations.reporting.jobs import JobReporter, Origin, QueueJob, ReportedError, quiet
from signalbox.integrations.reporting.jobs.origin import HEADER


class SignalboxTaskiqMiddleware(TaskiqMiddleware):
    """Reports the tasks of a broker. The options are those of `JobReporter`."""

    def __init__(self, store: str | None = None, **options: Any) -> None:
        super().__init__()
        self._reporter = JobReporter("taskiq", store, **options)
        # By the id of the task. A middleware that sends a task again changes the labels of the message that failed.
        self._running: dict[str, QueueJob] = {}
        self._errors: dict[str, BaseException] = {}
        self._sent_again: set[str] = set()

    def pre_send(self, message: Any) -> Any:
        self._sign(message)
        return message

    @quiet
    def _sign(self, message: Any) -> None:
        if HEADER not in message.labels:  # a retry keeps the labels
            message.labels[HEADER] = self._reporter.origin_here().header()

    @quiet
    def post_send(self, message: Any) -> None:
        job = self._job(message)
        if job.attempt == 1:
            self._reporter.enqueued(job)
        elif message.task_id in self._errors:  # a middleware sends the task again while it handles the error
            self._sent_again.add(message.task_id)

    def pre_execute(self, message: Any) -> Any:
        self._start(message)
        return message

    @quiet
    def _start(self, message: Any) -> None:
        job = self._running[message.task_id] = self._job(message)
        self._reporter.started(job)

    @quiet
    def on_error(self, message: Any, result: Any, exception: BaseException) -> None:
        self._errors[message.task_id] = exception

    @quiet
    def post_execute(self, message: Any, result: Any) -> None:
        """Report the end of a task. By now every middleware has handled its error."""
        error = self._errors.pop(message.task_id, None)
        job = self._running.pop(message.task_id)
        sent_again = message.task_id in self._sent_again
        self._sent_again.discard(message.task_id)
        if error is None or isinstance(error, NoResultError):
            self._reporter.succeeded(job, result.return_value)
        elif isinstance(error, asyncio.CancelledError):
            self._reporter.interrupted(job, ReportedError.of(error))
        elif sent_again or isinstance(result.error, NoResultError):
            self._reporter.retried(job, ReportedError.of(error))
        else:
            self._reporter.failed(job, ReportedError.of(error))

    def _job(self, message: Any) -> QueueJob:
        labels = message.labels
        origin, limit = Origin.of_header(labels.get(HEADER)) or Origin(), labels.get("max_retries")
        return QueueJob(
            library="taskiq",
            job_id=message.task_id,
            name=message.task_name,
            queue=labels.get("queue_name") or getattr(self.broker, "queue_name", None),
            arguments=self._reporter.arguments(message.args, message.kwargs),
            attempt=int(labels.get("_retries") or 0) + 1,
            max_attempts=int(limit) if limit is not None else None,
            queued_at=origin.at,
            origin=origin,
        )

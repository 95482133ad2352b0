"""Dramatiq: each message is a task of Signalbox, or a work item of the run that enqueued it.

from signalbox.integrations.dramatiq import SignalboxMiddleware
broker.add_middleware(SignalboxMiddleware())

Add it to the broker of workers and of programs that enqueue messages, after the middleware `Retries`.
"""

from __future__ import annotations

from typing import Any

from dramatiq import Middleware
from dramatiq.middleware import Shutdown
from dramatiq.middleware.retries import Retries

from signalbox.integrations.reporting.jobs import JobReporter, Origin, QueueJob, ReportedError, quiet
from signalbox.integrations.reporting.jobs.origin import HEADER


class SignalboxMiddleware(Middleware):
    """Reports the messages of a broker. The options are those of `JobReporter`."""

    def __init__(self, store: str | None = None, **options: Any) -> None:
        self._reporter = JobReporter("dramatiq", store, **options)

    @quiet
    def before_enqueue(self, broker: Any, message: Any, delay: Any) -> None:
        if HEADER not in message.options:
            message.options[HEADER] = self._reporter.origin_here().header()

    @quiet
    def after_enqueue(self, broker: Any, message: Any, delay: Any) -> None:
        # The worker moves a message that waited for its time to the queue, and a retry is reported below.
        if (not delay and message.options.get("eta")) or message.options.get("retries"):
            return
        self._reporter.enqueued(self._job(broker, message), delay=delay / 1000 if delay else None)

    @quiet
    def before_process_message(self, broker: Any, message: Any) -> None:
        if not message.failed:
            self._reporter.started(self._job(broker, message))

    @quiet
    def after_process_message(
        self, broker: Any, message: Any, *, result: Any = None, exception: BaseException | None = None
    ) -> None:
        # Middleware runs in reverse order: `Retries`, which was added before, decides after this one.
        job = self._job(broker, message)
        if exception is None:
            self._reporter.succeeded(job, result)
        elif isinstance(exception, Shutdown):
            self._reporter.interrupted(job, ReportedError.of(exception))
        elif _will_retry(broker, message, exception):
            self._reporter.retried(job, ReportedError.of(exception))
        else:
            self._reporter.failed(job, ReportedError.of(exception))

    @quiet
    def after_skip_message(self, broker: Any, message: Any) -> None:
        self._reporter.cancelled(self._job(broker, message), "the message was skipped")

    def _job(self, broker: Any, message: Any) -> QueueJob:
        options = message.options
        limit = options.get("max_retries", broker.get_actor(message.actor_name).options.get("max_retries"))
        return QueueJob(
            library="dramatiq",
            job_id=message.message_id,
            name=message.actor_name,
            queue=message.queue_name.removesuffix(".DQ"),
            arguments=self._reporter.arguments(message.args, message.kwargs),
            attempt=int(options.get("retries", 0)) + 1,
            max_attempts=limit + 1 if isinstance(limit, int) else None,
            queued_at=message.message_timestamp / 1000,
            origin=Origin.of_header(options.get(HEADER)) or Origin(),
        )


def _will_retry(broker: Any, message: Any, error: BaseException) -> bool:
    """Return whether the middleware `Retries`, which decides after this one, will enqueue the message again."""
    policy = next((each for each in broker.middleware if isinstance(each, Retries)), None)
    actor = broker.get_actor(message.actor_name).options
    throws = message.options.get("throws") or actor.get("throws")
    if policy is None or (throws and isinstance(error, throws)):
        return False
    retries = message.options.get("retries", 0)
    retry_when = actor.get("retry_when", policy.retry_when)
    if retry_when is not None:
        return bool(retry_when(retries, error))
    max_retries = message.options.get("max_retries", actor.get("max_retries", policy.max_retries))
    return max_retries is None or retries < max_retries

"""Dramatiq: each message is a task of Signalbox, or a work item of the run that enqueued it.

from signalbox.integrations.dramatiq import SignalboxMiddleware
broker.add_middleware(SignalboxMiddleware())

Add it to the broker of workers and of programs that enqueue messages, after the middleware that retries.
"""

from __future__ import annotations

from typing import Any

from dramatiq import Middleware
from dramatiq.errors import RateLimitExceeded, Retry
from dramatiq.middleware import Interrupt, Shutdown, TimeLimitExceeded
from dramatiq.middleware.retries import Retries

from signalbox.integrations.jobs import Failure, Job, JobReporter, Origin, quiet
from signalbox.integrations.jobs.origin import HEADER

_STARTED = "signalbox_attempt"
"""The option of a message, in the memory of its worker only, that has the number of the running attempt."""


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
        if delay == 0 and message.options.get("eta") or message.options.get("retries"):
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
            self._reporter.interrupted(job, Failure.of(exception))
        elif _will_retry(broker, message, exception):
            self._reporter.retried(job, Failure.of(exception))
        else:
            self._reporter.failed(job, Failure.of(exception))

    @quiet
    def after_skip_message(self, broker: Any, message: Any) -> None:
        self._reporter.cancelled(self._job(broker, message), "the message was skipped")

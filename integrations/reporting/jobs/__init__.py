"""The life of a job of any queue as events: queued, started, ended, and started again by a retry.

reporter = JobReporter("celery")
reporter.enqueued(job)
reporter.started(job)
reporter.succeeded(job, 42)

The module of each library makes a `QueueJob` of what its hooks get, and calls the reporter.
"""

from signalbox.integrations.reporting.jobs.arguments import shown_call
from signalbox.integrations.reporting.jobs.origin import Origin
from signalbox.integrations.reporting.jobs.queue_job import QueueJob
from signalbox.integrations.reporting.jobs.reported_error import ReportedError
from signalbox.integrations.reporting.jobs.reporter import JobReporter, quiet

__all__ = ["JobReporter", "Origin", "QueueJob", "ReportedError", "quiet", "shown_call"]

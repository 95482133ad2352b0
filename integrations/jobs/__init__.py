"""The life of a job of any queue as events: queued, started, ended, and started again by a retry.

reporter = JobReporter("celery")
reporter.enqueued(job)
reporter.started(job)
reporter.succeeded(job, 42)

The module of each library makes a `Job` of what its hooks get, and calls the reporter.
"""

from signalbox.integrations.jobs.arguments import shown_call
from signalbox.integrations.jobs.failure import Failure
from signalbox.integrations.jobs.job import Job
from signalbox.integrations.jobs.origin import Origin
from signalbox.integrations.jobs.reporter import JobReporter, quiet

__all__ = ["Failure", "Job", "JobReporter", "Origin", "quiet", "shown_call"]

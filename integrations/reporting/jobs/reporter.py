"""Reports the life of jobs as events, in the background. Nothing here raises into a worker or waits for the server."""

from __future__ import annotations

import functools
import logging
import os
import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import Any, ParamSpec, TypeVar

from signalbox.integrations.reporting.background import BackgroundWriter, background_writer
from signalbox.integrations.reporting.jobs.arguments import Redact, shown_arguments, shown_result
from signalbox.integrations.reporting.jobs.caller import RunningJob, origin_here, outer_run, running_job
from signalbox.integrations.reporting.jobs.origin import Origin
from signalbox.integrations.reporting.jobs.queue_job import QueueJob
from signalbox.integrations.reporting.jobs.reported_error import ReportedError
from signalbox.integrations.reporting.target import target

log = logging.getLogger("signalbox.integrations")

HEARTBEAT_INTERVAL = 10.0
"""Seconds without an event after which a running job gets a heartbeat."""

P = ParamSpec("P")
R = TypeVar("R")


def quiet(function: Callable[P, R]) -> Callable[P, R | None]:
    """Make a hook log its errors instead of raising them into the worker."""

    @functools.wraps(function)
    def hook(*args: P.args, **kwargs: P.kwargs) -> R | None:
        try:
            return function(*args, **kwargs)
        except Exception:
            log.debug("signalbox: %s failed", function.__qualname__, exc_info=True)
            return None

    return hook


class JobReporter:
    """Reports the jobs of one library to a store or a server.

    `store`, `server`, `token` and `project` name the target; without them the environment does: see `target`. With
    `arguments=False` or `results=False` they are left out, and `redact` can change each argument before it is sent.
    A job that is enqueued within a run is a work item of this run, unless `work_items` is False.
    """

    def __init__(
        self,
        library: str,
        store: str | None = None,
        *,
        server: str | None = None,
        token: str | None = None,
        project: str | None = None,
        arguments: bool = True,
        results: bool = True,
        redact: Redact | None = None,
        work_items: bool = True,
    ) -> None:
        self.library = library
        self.writer: BackgroundWriter = background_writer(target(store, server=server, token=token, project=project))
        self._arguments, self._results, self._redact, self._work_items = arguments, results, redact, work_items
        self._version = _version_of(library)

    def arguments(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> dict[str, Any]:
        """Return the arguments of a job as they may be shown."""
        try:
            return shown_arguments(args, kwargs, self._redact) if self._arguments else {}
        except Exception:
            log.debug("signalbox: the arguments of a job cannot be shown", exc_info=True)
            return {}

    def origin_here(self) -> Origin:
        """Return the origin of a job that the caller enqueues now."""
        return origin_here(self.writer.target, work_items=self._work_items)

    def load(self) -> None:
        """Load the modules that the first event needs, which takes a third of a second."""
        import_module("signalbox.store.remote" if self.writer.target.is_server else "signalbox.store")

    @quiet
    def enqueued(self, job: QueueJob, *, delay: float | None = None) -> None:
        """Report that the job waits in its queue, for at least `delay` seconds if that is given."""
        if job.place is None:
            self._create(job)
        elif job.attempt == 1:
            # Within the span around it: the item begins when a worker begins it.
            place, wait = job.place, f" for {delay:g} s" if delay else ""
            line = {
                "message": f"{job.title} waits in the queue {job.queue or self.library}{wait}",
                "job_id": job.job_id,
            }
            where = {"span_id": place.span_id, "phase": place.phase}
            self.writer.append(place.task_id, "log", line, identity=place.identity, **where)

    @quiet
    def started(self, job: QueueJob, **facts: Any) -> None:
        """Report that a worker runs the job, around the caller. `facts` are further fields of the event."""
        running_job.set(RunningJob(job, outer_run()))
        facts = {**self._facts(job), **facts}
        if job.place is not None:
            self._item(job, "work_item_start", facts)
            self.writer.deliver_soon()
            return
        self._create(job)
        runner = {"runner_pid": os.getpid(), "runner_version": self._version, "host": platform.node() or None}
        self._run(job, "runner_spawn", {**runner, "heartbeat_interval": HEARTBEAT_INTERVAL, **facts})
        self.writer.keep_alive(job.task_id, HEARTBEAT_INTERVAL)
        # A process that dies takes the events with it that the thread has not delivered.
        self.writer.deliver_soon()

    @quiet
    def succeeded(self, job: QueueJob, result: Any = None) -> None:
        """Report that the job has ended with `result`."""
        shown = {"result": shown_result(result)} if self._results and result is not None else {}
        if job.place is not None:
            self._end(job, "work_item_complete", shown)
        else:
            self._end(job, "runner_exit", {"exit_code": 0, **shown})

    @quiet
    def failed(self, job: QueueJob, failure: ReportedError) -> None:
        """Report that the job has failed, and is not run again."""
        self._end_badly(job, "failed", failure.fields())

    @quiet
    def retried(self, job: QueueJob, failure: ReportedError, *, delay: float | None = None) -> None:
        """Report that this attempt has failed, and that the next one waits in the queue."""
        again = replace(job, attempt=job.attempt + 1)
        more: dict[str, Any] = {"retry": again.task_id if job.place is None else None, "retry_in": delay}
        self._end_badly(job, "failed", {**failure.fields(), **more})
        self.enqueued(again, delay=delay)

    @quiet
    def cancelled(self, job: QueueJob, message: str) -> None:
        """Report that somebody revoked or stopped the job."""
        self._end_badly(job, "cancelled", {"error_code": "cancelled", "message": message})

    @quiet
    def interrupted(self, job: QueueJob, failure: ReportedError) -> None:
        """Report that the worker was lost or stopped before the job ended. The queue may run it again."""
        self._end_badly(job, "interrupted", failure.fields())

    @quiet
    def left(self, job: QueueJob | None = None) -> None:
        """Note that the caller is no longer within a job, however it ended. It sends no more heartbeats of the job."""
        running_job.set(None)
        if job is not None and job.place is None:
            self.writer.let_go(job.task_id)

    def _end_badly(self, job: QueueJob, status: str, fields: dict[str, Any]) -> None:
        if job.place is not None:
            self._end(job, "work_item_failed", fields)
        else:
            self._end(job, "runner_exit", {"status": status, "exit_code": 1, **fields})

    def _end(self, job: QueueJob, event_type: str, fields: dict[str, Any]) -> None:
        running_job.set(None)
        if job.place is not None:
            self._item(job, event_type, fields)
        else:
            self.writer.let_go(job.task_id)
            self._run(job, event_type, fields)

    def _create(self, job: QueueJob) -> None:
        self.writer.create_task(job.task_id, title=job.title, kind=self.library, metadata=job.metadata())

    def _run(self, job: QueueJob, event_type: str, payload: dict[str, Any]) -> None:
        self.writer.append(job.task_id, event_type, _known(payload))

    def _item(self, job: QueueJob, event_type: str, payload: dict[str, Any]) -> None:
        place = job.place
        assert place is not None
        self.writer.append(
            place.task_id,
            event_type,
            _known({"work_item_id": job.title, "work_type": self.library, **payload}),
            identity=place.identity,
            span_id=job.span_id,
            parent_span_id=place.span_id,
            phase=place.phase,
        )

    def _facts(self, job: QueueJob) -> dict[str, Any]:
        facts: dict[str, Any] = {
            "queue": job.queue,
            "arguments": dict(job.arguments) or None,
            "queued_at": _iso(job.queued_at),
        }
        if job.attempt > 1:
            facts |= {"attempt": job.attempt, "max_attempts": job.max_attempts}
        return facts if job.place is None else {"job_id": job.job_id, **facts}


def _known(payload: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in payload.items() if value is not None}


def _iso(at: float | None) -> str | None:
    if at is None:
        return None
    from datetime import UTC, datetime

    return datetime.fromtimestamp(at, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _version_of(library: str) -> str:
    try:
        return f"{library} {version(library)}"
    except PackageNotFoundError:
        return library

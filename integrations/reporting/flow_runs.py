"""The life of a run of an orchestrator as events: the run is a task, and each of its steps a work item.

reporter = FlowReporter("prefect")
reporter.run_started(FlowRun("7f3a", "nightly"))
reporter.step_started(run, "load-0", "load")
reporter.step_succeeded(run, "load-0", "load")
reporter.run_ended(run)

Everything is reported in the background. Nothing here raises into a run or waits for the server. Steps may be reported
by other processes than the run: an event names its task by the id of the run.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from signalbox.integrations.reporting.background import BackgroundWriter, background_writer
from signalbox.integrations.reporting.jobs import ReportedError, quiet
from signalbox.integrations.reporting.jobs.arguments import Redact, shown_arguments, shown_result
from signalbox.integrations.reporting.jobs.queue_job import usable_id
from signalbox.integrations.reporting.target import target

HEARTBEAT_INTERVAL = 10.0
"""Seconds without an event after which a run gets a heartbeat."""


@dataclass(frozen=True)
class FlowRun:
    """A run of a flow, a job or a DAG. `facts` are further metadata, such as the name that the library gave the run."""

    run_id: str
    flow: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)


class FlowReporter:
    """Reports the runs of one library to a store or a server.

    `store`, `server`, `token` and `project` name the target; without them the environment does: see `target`. With
    `parameters=False` or `results=False` they are left out, and `redact` can change each parameter before it is sent.
    """

    def __init__(
        self,
        library: str,
        store: str | None = None,
        *,
        server: str | None = None,
        token: str | None = None,
        project: str | None = None,
        parameters: bool = True,
        results: bool = True,
        redact: Redact | None = None,
        distribution: str | None = None,
    ) -> None:
        self.library = library
        self.writer: BackgroundWriter = background_writer(target(store, server=server, token=token, project=project))
        self._parameters, self._results, self._redact = parameters, results, redact
        self._version = _version_of(library, distribution or library)

    def task_id(self, run: FlowRun) -> str:
        """Return the id of the run's task."""
        return f"{self.library}:{usable_id(run.run_id)}"

    @quiet
    def run_queued(self, run: FlowRun) -> None:
        """Report a run that waits for its start."""
        shown = shown_arguments((), run.parameters, self._redact) if self._parameters else {}
        metadata = {"tags": dict(run.tags), **run.facts, "parameters": shown.get("kwargs")}
        known = {name: value for name, value in metadata.items() if value}
        self.writer.create_task(self.task_id(run), title=run.flow, kind=self.library, metadata=known)

    @quiet
    def run_started(self, run: FlowRun, *, attempt: int = 1, heartbeats: bool = True) -> None:
        """Report the start of a run. This process sends its heartbeats until `run_ended`, unless it may end before."""
        self.run_queued(run)
        fields: dict[str, Any] = {"runner_pid": os.getpid(), "runner_version": self._version, "attempt": attempt}
        if heartbeats:
            fields["heartbeat_interval"] = HEARTBEAT_INTERVAL
            self.writer.keep_alive(self.task_id(run), HEARTBEAT_INTERVAL)
        self.writer.append(self.task_id(run), "runner_spawn", {**fields, "host": platform.node() or None})

    @quiet
    def run_ended(
        self, run: FlowRun, *, status: str = "done", error: ReportedError | None = None, result: Any = None
    ) -> None:
        """Report the end of a run: `done`, `failed`, `cancelled` or `interrupted`."""
        fields: dict[str, Any] = {"status": status, "exit_code": 0 if status == "done" else 1}
        fields |= error.fields() if error is not None else self._result(result)
        self.writer.let_go(self.task_id(run))
        self.writer.append(self.task_id(run), "runner_exit", fields)

    @quiet
    def step_started(self, run: FlowRun, step_id: str, name: str, *, parent: str | None = None, **facts: Any) -> None:
        """Report the start of a step, or of another attempt of it, if `attempt` is more than 1."""
        if facts.get("attempt") == 1:
            facts = {name: value for name, value in facts.items() if name not in ("attempt", "max_attempts")}
        self._step(run, "work_item_start", step_id, name, facts, parent)

    @quiet
    def step_succeeded(self, run: FlowRun, step_id: str, name: str, result: Any = None, **facts: Any) -> None:
        """Report that a step has ended with a result."""
        self._step(run, "work_item_complete", step_id, name, {**self._result(result), **facts})

    @quiet
    def step_failed(self, run: FlowRun, step_id: str, name: str, error: ReportedError, **facts: Any) -> None:
        """Report that an attempt of a step has failed."""
        self._step(run, "work_item_failed", step_id, name, {**error.fields(), **facts})

    @quiet
    def line(self, run: FlowRun, step_id: str | None, message: str, level: str, **fields: Any) -> None:
        """Report a line of the log of the run or of a step."""
        span = self._span(run, step_id) if step_id is not None else None
        payload = {"message": message, "level": level, **fields}
        self.writer.append(self.task_id(run), "log", payload, span_id=span)

    def _step(
        self,
        run: FlowRun,
        event_type: str,
        step_id: str,
        name: str,
        facts: Mapping[str, Any],
        parent: str | None = None,
    ) -> None:
        payload = {"work_item_id": name, "work_type": self.library, **facts}
        known = {key: value for key, value in payload.items() if value is not None}
        above = self._span(run, parent) if parent is not None else None
        self.writer.append(self.task_id(run), event_type, known, span_id=self._span(run, step_id), parent_span_id=above)

    def _span(self, run: FlowRun, step_id: str) -> str:
        return f"{self.library}:{step_id}"

    def _result(self, result: Any) -> dict[str, Any]:
        return {"result": shown_result(result)} if self._results and result is not None else {}


def _version_of(library: str, distribution: str) -> str:
    try:
        return f"{library} {version(distribution)}"
    except PackageNotFoundError:
        return library

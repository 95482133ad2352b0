"""Dagster: each run is a task of Signalbox, and each step a work item, with the lines of their logs.

In dagster.yaml, for all runs of an instance and without any change of code:

python_logs:
  dagster_handler_config:
    handlers:
      signalbox:
        class: signalbox.integrations.dagster.SignalboxDagsterHandler
        level: DEBUG

Dagster passes every event of a run and every line of `context.log` to such a handler, in each process of the run. The
events of steps have the level DEBUG; lines of that level are left out.
"""

from __future__ import annotations

import logging
from typing import Any

from dagster import DagsterEvent, DagsterEventType

from signalbox.integrations.reporting.flow_runs import FlowReporter, FlowRun
from signalbox.integrations.reporting.jobs import ReportedError, quiet

_LEVELS = {logging.INFO: "info", logging.WARNING: "warning"}

_STATUS = {
    DagsterEventType.RUN_SUCCESS: "done",
    DagsterEventType.RUN_FAILURE: "failed",
    DagsterEventType.RUN_CANCELED: "cancelled",
}

_WORDS = frozenset(
    {
        DagsterEventType.ASSET_MATERIALIZATION,
        DagsterEventType.ASSET_OBSERVATION,
        DagsterEventType.ASSET_CHECK_EVALUATION,
        DagsterEventType.ENGINE_EVENT,
        DagsterEventType.STEP_EXPECTATION_RESULT,
        DagsterEventType.STEP_SKIPPED,
    }
)
"""Events that become lines of the log. Others, such as the loading of inputs, are left out."""


class SignalboxDagsterHandler(logging.Handler):
    """Reports the runs of Dagster. The options are those of `FlowReporter`. Never raises and never waits."""

    def __init__(self, store: str | None = None, **options: Any) -> None:
        super().__init__(logging.DEBUG)
        self._reporter = FlowReporter("dagster", store, **options)

    def emit(self, record: logging.LogRecord) -> None:
        self._report(record)

    @quiet
    def _report(self, record: logging.LogRecord) -> None:
        meta = getattr(record, "dagster_meta", None)
        if not meta or not meta.get("run_id"):
            return
        run = FlowRun(
            meta["run_id"],
            meta.get("job_name") or "run",
            tags={"job": meta.get("job_name") or "run"},
            facts={"run_id": meta["run_id"]},
        )
        event, step = getattr(record, "dagster_event", None) or meta.get("dagster_event"), meta.get("step_key")
        if isinstance(event, DagsterEvent):
            self._report_event(run, event, meta.get("orig_message") or record.getMessage())
            return
        if record.levelno < logging.INFO:
            return
        fields = {"logger": record.name} if record.name != "dagster" else {}
        if record.exc_info and record.exc_info[1] is not None:
            fields |= ReportedError.of(record.exc_info[1]).fields() | {"error_code": None}
        message, level = meta.get("orig_message") or record.getMessage(), _LEVELS.get(record.levelno, "error")
        fields.pop("message", None)
        self._reporter.line(run, step, message, level, **{name: value for name, value in fields.items() if value})

    def _report_event(self, run: FlowRun, event: DagsterEvent, message: str) -> None:
        reporter, kind, step = self._reporter, event.event_type, event.step_key
        if kind == DagsterEventType.RUN_START:
            reporter.run_started(run)
        elif kind in _STATUS:
            error = None
            if kind == DagsterEventType.RUN_FAILURE:
                data = event.event_specific_data
                error = _error(getattr(data, "error", None), event.message or message)
            reporter.run_ended(run, status=_STATUS[kind], error=error)
        elif step is not None and kind in (DagsterEventType.STEP_START, DagsterEventType.STEP_RESTARTED):
            reporter.step_started(run, step, step)
        elif step is not None and kind == DagsterEventType.STEP_SUCCESS:
            reporter.step_succeeded(run, step, step)
        elif step is not None and kind in (DagsterEventType.STEP_FAILURE, DagsterEventType.STEP_UP_FOR_RETRY):
            reporter.step_failed(run, step, step, _error(getattr(event.event_specific_data, "error", None), message))
        elif kind in _WORDS:
            reporter.line(run, step, event.message or message, "info", dagster_event=event.event_type_value)


def _error(error: Any, message: str) -> ReportedError:
    """Return the error of a step, or if it only wraps another one, the error of the code of the user."""
    while error is not None and getattr(error, "cause", None) is not None:
        error = error.cause
    if error is None:
        return ReportedError("Failed", message)
    name = error.cls_name or "Failed"
    text = error.message.strip().partition(f"{name}: ")[2] or error.message.strip()
    trace = "Traceback (most recent call last):\n" + "".join(error.stack) + error.message
    return ReportedError(name, text, trace)

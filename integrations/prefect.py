"""Prefect: each flow run is a task of Signalbox, and each task run a work item, with the lines of their logs.

from signalbox.integrations import prefect as signalbox_prefect
signalbox_prefect.install()

Every flow and task that is defined after this reports, by hooks on its states. `report(flow)` or `report(task)` adds
the hooks to a single one.
"""

from __future__ import annotations

import logging
from typing import Any, TypeVar

from prefect import Flow, Task
from prefect.context import FlowRunContext

from signalbox.integrations.reporting.flow_runs import FlowReporter, FlowRun
from signalbox.integrations.reporting.jobs import ReportedError, quiet

Reported = TypeVar("Reported")

_LOGGERS = ("prefect.flow_runs", "prefect.task_runs")
_LEVELS = {logging.DEBUG: "debug", logging.INFO: "info", logging.WARNING: "warning"}
_OWN_WORDS = ("Running hook", "Hook ", "Created task run", "Created subflow run", "Finished in state Completed")
"""The beginnings of lines of Prefect that the work items say better."""

_reporters: list[FlowReporter] = []
_installed: list[bool] = []


def install(store: str | None = None, **options: Any) -> None:
    """Report every flow and task that is defined from now on. The options are those of `FlowReporter`."""
    configure(store, **options)
    if _installed:
        return
    _installed.append(True)
    for kind in (Flow, Task):
        kind.__init__ = _with_report(kind.__init__)


def configure(store: str | None = None, **options: Any) -> None:
    """Set the target and the options of `report`. Without it the environment names the target."""
    _reporters[:] = [FlowReporter("prefect", store, **options)]


def report(flow_or_task: Reported) -> Reported:
    """Add the hooks to a flow or a task, and return it. May be used as a decorator above `@flow` or `@task`."""
    hooks: Any = _FLOW_HOOKS if isinstance(flow_or_task, Flow) else _TASK_HOOKS
    for name, hook in hooks.items():
        present = getattr(flow_or_task, f"{name}_hooks")
        if hook not in present:
            present.append(hook)
    return flow_or_task


def _with_report(init: Any) -> Any:
    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:
        init(self, *args, **kwargs)
        quiet(report)(self)

    __init__.__wrapped__ = init  # type: ignore[attr-defined]
    return __init__


def _reporter() -> FlowReporter:
    if not _reporters:
        configure()
    return _reporters[0]


def signalbox_flow_running(flow: Any, flow_run: Any, state: Any) -> None:
    """Report that a flow run begins, or begins again."""
    _flow_running(flow, flow_run)


def signalbox_flow_ended(flow: Any, flow_run: Any, state: Any) -> None:
    """Report that a flow run has ended."""
    _flow_ended(flow, flow_run, state)


def signalbox_task_running(task: Any, task_run: Any, state: Any) -> None:
    """Report that an attempt of a task run begins."""
    _task_running(task_run, state)


def signalbox_task_ended(task: Any, task_run: Any, state: Any) -> None:
    """Report that a task run has ended."""
    _task_ended(task_run, state)


_FLOW_HOOKS = {"on_running": signalbox_flow_running} | dict.fromkeys(
    ("on_completion", "on_failure", "on_cancellation", "on_crashed"), signalbox_flow_ended
)
_TASK_HOOKS = {
    "on_running": signalbox_task_running,
    "on_completion": signalbox_task_ended,
    "on_failure": signalbox_task_ended,
}


@quiet
def _flow_running(flow: Any, flow_run: Any) -> None:
    _listen()
    _reporter().run_started(_run(flow, flow_run), attempt=max(1, flow_run.run_count))


@quiet
def _flow_ended(flow: Any, flow_run: Any, state: Any) -> None:
    run = _run(flow, flow_run)
    if state.is_completed():
        _reporter().run_ended(run, result=_value_of(state))
    elif state.is_cancelled() or state.is_cancelling():
        _reporter().run_ended(run, status="cancelled", error=ReportedError("cancelled", state.message or "cancelled"))
    else:
        status = "interrupted" if state.is_crashed() else "failed"
        _reporter().run_ended(run, status=status, error=_error_of(state))


@quiet
def _task_running(task_run: Any, state: Any) -> None:
    run, step = FlowRun(str(task_run.flow_run_id), ""), str(task_run.id)
    _reporter().step_started(run, step, task_run.name, attempt=max(1, task_run.run_count))


@quiet
def _task_ended(task_run: Any, state: Any) -> None:
    run, step = FlowRun(str(task_run.flow_run_id), ""), str(task_run.id)
    if state.is_completed():
        cached = True if state.name == "Cached" else None
        _reporter().step_succeeded(run, step, task_run.name, _value_of(state), cached=cached)
    else:
        _reporter().step_failed(run, step, task_run.name, _error_of(state))


def _run(flow: Any, flow_run: Any) -> FlowRun:
    around = FlowRunContext.get()
    caller = around.flow_run if around is not None else None
    tags = {"flow": flow.name}
    if caller is not None and caller.id != flow_run.id:
        tags["caller"] = f"prefect:{caller.id}"
    facts = {"run": flow_run.name, "version": flow.version}
    return FlowRun(str(flow_run.id), flow.name, flow_run.parameters or {}, tags, facts)


def _value_of(state: Any) -> Any:
    """Return the result that a state has in memory. A result that is only in a storage is left there."""
    data = state.data
    value = getattr(data, "result", None) if type(data).__name__ == "ResultRecord" else data
    return None if type(value).__name__ in ("ResultRecordMetadata", "State") else value


def _error_of(state: Any) -> ReportedError:
    error = _value_of(state)
    message = state.message or state.name or "failed"
    return ReportedError.of(error) if isinstance(error, BaseException) else ReportedError(state.name, message)


class _Lines(logging.Handler):
    """Reports the lines of flow runs and task runs, and the errors of attempts that are tried again."""

    def emit(self, record: logging.LogRecord) -> None:
        self._report(record)

    @quiet
    def _report(self, record: logging.LogRecord) -> None:
        flow_run, message = getattr(record, "flow_run_id", None), record.getMessage()
        if not flow_run or message.startswith(_OWN_WORDS):
            return
        run, step = FlowRun(str(flow_run), ""), getattr(record, "task_run_id", None)
        values = record.args if isinstance(record.args, tuple) else ()
        error = next((value for value in values if isinstance(value, BaseException)), None)
        if step and error is not None and "Retry" in message:
            name = getattr(record, "task_run_name", None) or str(step)
            _reporter().step_failed(run, str(step), name, ReportedError.of(error))
        level = _LEVELS.get(record.levelno, "error")
        _reporter().line(run, str(step) if step else None, message, level)


_lines = _Lines(logging.INFO)


def _listen() -> None:
    # Prefect configures its loggers when the first flow runs, and may remove handlers then.
    for name in _LOGGERS:
        logger = logging.getLogger(name)
        if _lines not in logger.handlers:
            logger.addHandler(_lines)

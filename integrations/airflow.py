"""Airflow 3: each run of a DAG is a task of Signalbox, and each task instance a work item.

In a file of the plugins folder, such as plugins/signalbox_plugin.py:

from signalbox.integrations.airflow import SignalboxPlugin

Its listener reports in the scheduler and in the processes that run task instances. The environment names the target.
"""

from __future__ import annotations

from typing import Any

from airflow.listeners import hookimpl
from airflow.plugins_manager import AirflowPlugin

from signalbox.integrations.reporting.flow_runs import FlowReporter, FlowRun
from signalbox.integrations.reporting.jobs import ReportedError, quiet

_FLUSH_S = 2.0
"""Seconds for which the process of a task instance waits for its events at its end, where no exit handlers run."""


class AirflowListener:
    """Reports the runs of DAGs and their task instances. Airflow calls its methods."""

    def __init__(self, store: str | None = None, **options: Any) -> None:
        self._target = (store, options)
        self._reporters: list[FlowReporter] = []

    @property
    def _reporter(self) -> FlowReporter:
        # Airflow loads plugins in every process, also in those that report nothing.
        if not self._reporters:
            store, options = self._target
            self._reporters.append(FlowReporter("airflow", store, distribution="apache-airflow", **options))
        return self._reporters[0]

    @hookimpl
    def on_dag_run_running(self, dag_run: Any, msg: str) -> None:
        self._run_started(dag_run)

    @hookimpl
    def on_dag_run_success(self, dag_run: Any, msg: str) -> None:
        self._run_ended(dag_run, "done", msg)

    @hookimpl
    def on_dag_run_failed(self, dag_run: Any, msg: str) -> None:
        self._run_ended(dag_run, "failed", msg)

    @hookimpl
    def on_task_instance_running(self, previous_state: Any, task_instance: Any) -> None:
        self._step(task_instance, "started")

    @hookimpl
    def on_task_instance_success(self, previous_state: Any, task_instance: Any) -> None:
        self._step(task_instance, "succeeded")

    @hookimpl
    def on_task_instance_skipped(self, previous_state: Any, task_instance: Any) -> None:
        self._step(task_instance, "skipped")

    @hookimpl
    def on_task_instance_failed(self, previous_state: Any, task_instance: Any, error: Any) -> None:
        self._step(task_instance, "failed", error)

    @hookimpl
    def before_stopping(self, component: Any) -> None:
        self._flush()

    @quiet
    def _run_started(self, dag_run: Any) -> None:
        # Another scheduler may report the end, so no process can say that the run is alive.
        self._reporter.run_started(_run(dag_run), heartbeats=False)

    @quiet
    def _run_ended(self, dag_run: Any, status: str, message: str) -> None:
        run = _run(dag_run)
        self._reporter.run_queued(run)
        error = ReportedError("DagRunFailed", message or "failed") if status == "failed" else None
        self._reporter.run_ended(run, status=status, error=error)

    @quiet
    def _step(self, instance: Any, end: str, error: Any = None) -> None:
        reporter, run = self._reporter, _run(instance)
        name = instance.task_id
        if instance.map_index is not None and instance.map_index >= 0:
            name = f"{name}[{instance.map_index}]"
        if end == "started":
            # `dag.test()` and a process without the plugin in its scheduler report no start of the run.
            reporter.run_queued(run)
            tries = instance.max_tries + 1 if isinstance(instance.max_tries, int) else None
            reporter.step_started(run, name, name, attempt=instance.try_number, max_attempts=tries)
        elif end == "failed":
            reporter.step_failed(run, name, name, _error(error))
        else:
            reporter.step_succeeded(run, name, name, message="skipped" if end == "skipped" else None)

    @quiet
    def _flush(self) -> None:
        if self._reporters:
            self._reporters[0].writer.flush(_FLUSH_S)


class SignalboxPlugin(AirflowPlugin):
    """The plugin with the listener."""

    name = "signalbox"
    listeners = (AirflowListener(),)


def _run(owner: Any) -> FlowRun:
    """Return the run of a DAG run or of a task instance. Its id is unique only together with that of the DAG."""
    facts = {"run_id": owner.run_id, "run_type": str(getattr(owner, "run_type", None) or "") or None}
    conf = getattr(owner, "conf", None)
    parameters = conf if isinstance(conf, dict) else {}
    return FlowRun(f"{owner.dag_id}:{owner.run_id}", owner.dag_id, parameters, {"dag": owner.dag_id}, facts)


def _error(error: Any) -> ReportedError:
    return (
        ReportedError.of(error) if isinstance(error, BaseException) else ReportedError.of_text(str(error or "failed"))
    )

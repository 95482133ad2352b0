"""Dagster: runs in this process, and real runs with a process for each step."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from dagster import DagsterInstance, RetryPolicy, job, op

from signalbox.integrations.reporting.background import background_writer
from signalbox.integrations.reporting.target import target
from signalbox.store.sqlite import SqliteStore
from tests.support.command import environment
from tests.support.log import log_of, spans_of, task_of, tasks_of

HANDLER = "signalbox.integrations.dagster.SignalboxDagsterHandler"

PROJECT = """
from dagster import asset, job, op, Definitions, define_asset_job

@op
def load(context):
    context.log.info("3 volumes")
    return 3

@op
def copy(context, volumes: int):
    context.log.warning("slow disk")
    return volumes

@job
def backup():
    copy(load())
"""

tries: list[int] = []


@op
def load(context) -> int:  # type: ignore[no-untyped-def]
    context.log.warning("slow disk")
    return 3


@op(retry_policy=RetryPolicy(max_retries=2))
def flaky(volumes: int) -> int:
    tries.append(volumes)
    if len(tries) == 1:
        raise ConnectionError("the shop is away")
    return volumes


@op
def fail(volumes: int) -> None:
    raise LookupError(f"no volume {volumes}")


@job
def backup():  # type: ignore[no-untyped-def]
    flaky(load())


@job
def broken():  # type: ignore[no-untyped-def]
    fail(load())


@pytest.fixture
def instance(url: str, tmp_path: Path) -> DagsterInstance:
    """Return an instance whose runs report to the store of the test."""
    handlers = {"signalbox": {"class": HANDLER, "level": "DEBUG", "store": url}}
    settings = {"python_logs": {"dagster_handler_config": {"handlers": handlers}}}
    (tmp_path / "dagster").mkdir()
    return DagsterInstance.local_temp(str(tmp_path / "dagster"), overrides=settings)


def test_a_run_is_a_task_with_its_steps_and_their_log(instance: DagsterInstance, store: SqliteStore) -> None:
    run = backup.execute_in_process(instance=instance)
    assert background_writer(target(store.url)).flush()
    task = task_of(store, f"dagster:{run.run_id}")
    assert (task.status, task.title, task.kind, task.items_done) == ("done", "backup", "dagster", 2)
    spans = spans_of(store, task.task_id)
    assert (spans["load"].state, spans["flaky"].state) == ("done", "done")
    events = log_of(store, task.task_id)
    warning = next(event for event in events if event.payload.get("message") == "slow disk")
    assert (warning.payload["level"], warning.span_id) == ("warning", spans["load"].span_id)
    failed = next(event for event in events if event.event_type == "work_item_failed")
    assert (failed.payload["error_code"], failed.payload["message"]) == ("ConnectionError", "the shop is away")


def test_a_failed_run_says_which_step_failed_and_why(instance: DagsterInstance, store: SqliteStore) -> None:
    run = broken.execute_in_process(instance=instance, raise_on_error=False)
    assert background_writer(target(store.url)).flush()
    task = task_of(store, f"dagster:{run.run_id}")
    assert task.status == "failed"
    failed = next(event for event in log_of(store, task.task_id) if event.event_type == "work_item_failed")
    assert (failed.payload["error_code"], failed.payload["message"]) == ("LookupError", "no volume 3")
    assert 'raise LookupError(f"no volume {volumes}")' in failed.payload["traceback"]


def test_a_real_run_reports_from_all_its_processes(store: SqliteStore, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "dagster.yaml").write_text(
        "telemetry:\n  enabled: false\npython_logs:\n  dagster_handler_config:\n    handlers:\n      signalbox:\n"
        f"        class: {HANDLER}\n        level: DEBUG\n"
    )
    project = tmp_path / "project.py"
    project.write_text(PROJECT)
    command = [sys.executable, "-m", "dagster", "job", "execute", "-f", str(project), "-j", "backup"]
    variables = {"DAGSTER_HOME": str(home), "SIGNALBOX_STORE_URL": store.url}
    done = subprocess.run(
        command, env=environment(**variables), cwd=tmp_path, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    task = tasks_of(store)[0]
    assert (task.status, task.title, task.items_done, task.items_total) == ("done", "backup", 2, 2)
    messages = [event.payload.get("message") for event in log_of(store, task.task_id)]
    assert {"3 volumes", "slow disk"} <= set(messages)
    assert [event.event_type for event in log_of(store, task.task_id)].count("runner_spawn") == 1

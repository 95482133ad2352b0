"""Airflow with a private home: DAGs run with `dag.test()`, and the listener is a plugin, as users install it."""

from __future__ import annotations

import subprocess
import sys

import pytest

from signalbox.store import open_store
from signalbox.store.state import Task
from tests.support.command import environment
from tests.support.log import log_of, spans_of, tasks_of

PLUGIN = "from signalbox.integrations.airflow import SignalboxPlugin\n"

DAGS = """
from datetime import timedelta
from pathlib import Path

from airflow.sdk import dag, task
from airflow.exceptions import AirflowSkipException


@dag(schedule=None)
def backup():
    @task
    def load():
        return 3

    @task(retries=2, retry_delay=timedelta(0))
    def flaky(volumes):
        seen = Path(__file__).with_name("seen")
        if not seen.exists():
            seen.touch()
            raise ConnectionError("the shop is away")
        return [1, 2]

    @task
    def copy(volume):
        return volume

    @task
    def never():
        raise AirflowSkipException("not today")

    copy.expand(volume=flaky(load()))
    never()


@dag(schedule=None)
def broken():
    @task
    def fail():
        raise LookupError("no volume 7")

    fail()


backup_dag, broken_dag = backup(), broken()
if __name__ == "__main__":
    backup_dag.test(run_conf={"volume": "home", "password": "hunter2"})
    broken_dag.test()
"""


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Run both DAGs with an Airflow of their own, and return the URL of the store that they reported to."""
    home = tmp_path_factory.mktemp("airflow")
    for name, text in (("dags/example.py", DAGS), ("plugins/signalbox_plugin.py", PLUGIN)):
        (home / name).parent.mkdir(exist_ok=True)
        (home / name).write_text(text)
    url = f"sqlite:///{home}/signalbox.db"
    variables = {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__DAGS_FOLDER": str(home / "dags"),
        "AIRFLOW__CORE__UNIT_TEST_MODE": "False",
        "SIGNALBOX_STORE_URL": url,
    }
    for command in (("-m", "airflow", "db", "migrate"), ("-m", "airflow", "dags", "reserialize"), ("dags/example.py",)):
        done = subprocess.run(
            [sys.executable, *command],
            cwd=home,
            env=environment(**variables),
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    return url


@pytest.fixture
def runs(url: str) -> dict[str, Task]:
    store = open_store(url)
    try:
        return {task.title or "": task for task in tasks_of(store)}
    finally:
        store.close()


def test_a_run_of_a_dag_is_a_task_with_its_task_instances(url: str, runs: dict[str, Task]) -> None:
    run = runs["backup"]
    assert (run.status, run.kind, run.tags["dag"]) == ("done", "airflow", "backup")
    store = open_store(url)
    spans = spans_of(store, run.task_id)
    assert {name: span.state for name, span in spans.items() if span.kind == "work_item"} == dict.fromkeys(
        ("load", "flaky", "copy[0]", "copy[1]", "never"), "done"
    )
    events = log_of(store, run.task_id)
    store.close()
    assert run.items_failed == 0
    starts = [event for event in events if event.event_type == "work_item_start"]
    attempts = [start.payload.get("attempt") for start in starts if start.payload["work_item_id"] == "flaky"]
    assert attempts == [None, 2]
    failed = next(event for event in events if event.event_type == "work_item_failed")
    assert (failed.payload["error_code"], failed.payload["message"]) == ("ConnectionError", "the shop is away")
    assert "hunter2" not in str(run.metadata)


def test_a_failed_run_has_the_error_of_its_task_instance(url: str, runs: dict[str, Task]) -> None:
    run = runs["broken"]
    assert run.status == "failed"
    store = open_store(url)
    failed = next(event for event in log_of(store, run.task_id) if event.event_type == "work_item_failed")
    store.close()
    assert (failed.payload["error_code"], failed.payload["message"]) == ("LookupError", "no volume 7")
    assert 'raise LookupError("no volume 7")' in failed.payload["traceback"]

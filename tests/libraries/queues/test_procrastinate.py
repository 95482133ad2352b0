"""Procrastinate with a real database and worker."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.libraries.queues.expected import check_called, check_failed, check_retried, tasks_called_by
from tests.libraries.queues.programs import Programs
from tests.support.shared_postgres import create_database

DEFER = """
import json, os
from procrastinate_jobs import *
from signalbox import open_store, open_task

with app.open():
    app.schema_manager.apply_schema()
    ids = {"add": add.defer(x=2, y=3, password="hunter2")}
    ids["flaky"] = flaky.defer(path=os.path.abspath("flaky"))
    ids["parent"] = parent.defer()
    ids["fail"] = fail.defer(number=7)
    ids["endless"] = endless.defer()
    store = open_store(os.environ["SIGNALBOX_STORE_URL"])
    with open_task(store, "release") as task, task.phase("executing"):
        add.defer(x=4, y=5)
    store.close()
print(json.dumps(ids))
"""

ABORT = """
from procrastinate_jobs import app

with app.open():
    app.job_manager.cancel_job_by_id({}, abort=True)
"""


@pytest.fixture(scope="module")
def ids(programs: Programs) -> Iterator[dict[str, str]]:
    """Defer one job of each kind, then run the worker until the tests are done. Yield the jobs' ids by name."""
    programs.variables["TEST_POSTGRES"] = create_database(empty=True)
    found = json.loads(programs.run("-c", DEFER))
    programs.stored.task(f"procrastinate:{found['add']}", "queued")
    with programs.running("-m", "procrastinate", "--app", "procrastinate_jobs.app", "worker", "--concurrency", "3"):
        yield found


def test_jobs_are_tasks_with_their_end_and_their_retries(programs: Programs, ids: dict[str, str]) -> None:
    task = programs.stored.task(f"procrastinate:{ids['add']}")
    assert task.title == "add(password='[redacted]', x=2, y=3)" or "password='[redacted]'" in (task.title or "")
    assert (task.tags["job"], task.tags["queue"]) == ("add", "mail")
    assert programs.stored.payload(task.task_id, "runner_exit")["result"] == 5
    check_failed(programs, f"procrastinate:{ids['fail']}")
    check_retried(programs, f"procrastinate:{ids['flaky']}")
    check_called(programs, f"procrastinate:{ids['parent']}", "add(x=20, y=22)")


def test_a_job_of_a_run_names_the_run(programs: Programs, ids: dict[str, str]) -> None:
    assert [task.title for task in tasks_called_by(programs, "release")] == ["add(x=4, y=5)"]


def test_an_aborted_job_is_cancelled(programs: Programs, ids: dict[str, str]) -> None:
    programs.stored.task(f"procrastinate:{ids['endless']}", "running")
    programs.run("-c", ABORT.format(ids["endless"]))
    programs.stored.task(f"procrastinate:{ids['endless']}", "cancelled")

"""Celery with a real broker and a worker with forked processes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.libraries.queues.programs import Programs

ENQUEUE = """
import json
from celery_jobs import *
from signalbox import open_store, open_task
import os

ids = {"add": add.apply_async((2, 3), {"password": "hunter2"}).id}
for job in (flaky, slow, soft, parent, endless):
    ids[job.__name__] = job.delay().id
ids["fail"] = fail.delay(7).id
ids["expired"] = add.apply_async((0, 0), expires=0.01).id
store = open_store(os.environ["SIGNALBOX_STORE_URL"])
with open_task(store, "release") as task:
    with task.phase("executing"):
        ids["item"] = add.delay(4, 5).id
        ids["bad item"] = fail.delay(8).id
store.close()
print(json.dumps(ids))
"""


@pytest.fixture(scope="module")
def ids(programs: Programs) -> Iterator[dict[str, str]]:
    """Enqueue one job of each kind, then run the worker until the tests are done. Yield the jobs' ids by name."""
    import json

    found = json.loads(programs.run("-c", ENQUEUE))
    queued = programs.stored.task(f"celery:{found['add']}", "queued")
    assert queued.title == "celery_jobs.add(2, 3, password='[redacted]')"
    with programs.running("-m", "celery", "-A", "celery_jobs", "worker", "--concurrency", "3", "--loglevel", "INFO"):
        yield found


def test_a_job_is_a_task_with_its_queue_arguments_and_result(programs: Programs, ids: dict[str, str]) -> None:
    task = programs.stored.task(f"celery:{ids['add']}")
    assert (task.kind, task.tags["queue"], task.tags["job"]) == ("celery", "mail", "celery_jobs.add")
    assert task.metadata["arguments"] == {"args": [2, 3], "kwargs": {"password": "[redacted]"}}
    spawn = programs.stored.payload(task.task_id, "runner_spawn")
    assert spawn["queued_at"] < task.started_at
    assert spawn["worker"].startswith("celery@")
    assert programs.stored.payload(task.task_id, "runner_exit")["result"] == 5


def test_a_failed_job_has_its_error_and_traceback(programs: Programs, ids: dict[str, str]) -> None:
    task = programs.stored.task(f"celery:{ids['fail']}", "failed")
    ended = programs.stored.payload(task.task_id, "runner_exit")
    assert (ended["error_code"], ended["message"]) == ("LookupError", "no customer 7")
    assert 'raise LookupError(f"no customer {number}")' in ended["traceback"]


def test_a_retry_is_a_task_that_is_linked_to_the_first_attempt(programs: Programs, ids: dict[str, str]) -> None:
    first, second = (f"celery:{ids['flaky']}{more}" for more in ("", ":2"))
    retry = programs.stored.task(second)
    assert (retry.metadata["retry_of"], retry.metadata["attempt"]) == (first, 2)
    ended = programs.stored.payload(first, "runner_exit")
    assert (ended["error_code"], ended["message"], ended["retry"]) == ("ConnectionError", "the shop is away", second)
    assert programs.stored.task(first, "failed").metadata.get("retry_of") is None


def test_a_time_limit_is_a_failure(programs: Programs, ids: dict[str, str]) -> None:
    for name, error in (("slow", "TimeLimitExceeded"), ("soft", "SoftTimeLimitExceeded")):
        task = programs.stored.task(f"celery:{ids[name]}", "failed")
        assert programs.stored.payload(task.task_id, "runner_exit")["error_code"] == error


def test_a_job_whose_process_was_killed_is_interrupted(programs: Programs, ids: dict[str, str]) -> None:
    job_id = programs.run("-c", "from celery_jobs import dies; print(dies.delay().id)").strip()
    task = programs.stored.task(f"celery:{job_id}", "interrupted")
    assert programs.stored.payload(task.task_id, "runner_exit")["error_code"] == "WorkerLostError"


def test_a_revoked_or_expired_job_is_cancelled(programs: Programs, ids: dict[str, str]) -> None:
    programs.stored.task(f"celery:{ids['endless']}", "running")
    programs.run("-c", f"from celery_jobs import app; app.control.revoke({ids['endless']!r}, terminate=True)")
    programs.stored.task(f"celery:{ids['endless']}", "cancelled")
    programs.stored.task(f"celery:{ids['expired']}", "cancelled")
    assert programs.stored.types(f"celery:{ids['expired']}") == ["runner_exit"]


def test_a_job_that_a_run_enqueues_is_its_work_item(programs: Programs, ids: dict[str, str]) -> None:
    item = programs.stored.span("release", "celery_jobs.add(4, 5)")
    assert (item.kind, item.phase) == ("work_item", "executing")
    assert programs.stored.payload("release", "work_item_complete")["result"] == 9
    programs.stored.span("release", "celery_jobs.fail(8)", "failed")
    assert programs.stored.payload("release", "work_item_failed")["message"] == "no customer 8"
    assert f"celery:{ids['item']}" not in programs.stored.statuses()


def test_a_job_that_a_job_enqueues_names_its_caller(programs: Programs, ids: dict[str, str]) -> None:
    caller = programs.stored.task(f"celery:{ids['parent']}")
    called = [
        task_id
        for task_id in programs.stored.statuses()
        if programs.stored.task(task_id, programs.stored.statuses()[task_id]).tags.get("caller") == caller.task_id
    ]
    assert [programs.stored.task(task_id).title for task_id in called] == ["celery_jobs.add(20, 22)"]

"""RQ with a real Redis server, and with workers that fork and that do not."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.libraries.queues.expected import check_add, check_called, check_failed, check_items, check_retried
from tests.libraries.queues.programs import Programs

ENQUEUE = """
import json, os
from rq_jobs import *
from rq import Retry
import rq_jobs
from signalbox import open_store, open_task

ids = {"add": queue.enqueue(rq_jobs.add, 2, 3, password="hunter2").id}
ids["flaky"] = queue.enqueue(rq_jobs.flaky, os.path.abspath("flaky"), retry=Retry(max=2)).id
ids["slow"] = queue.enqueue(rq_jobs.slow, job_timeout=1).id
for job in (rq_jobs.dies, rq_jobs.parent):
    ids[job.__name__] = queue.enqueue(job).id
ids["fail"] = queue.enqueue(rq_jobs.fail, 7).id
ids["forgotten"] = queue.enqueue(rq_jobs.add, 1, 1, result_ttl=0).id
store = open_store(os.environ["SIGNALBOX_STORE_URL"])
with open_task(store, "release") as task, task.phase("executing"):
    queue.enqueue(rq_jobs.add, 4, 5)
    queue.enqueue(rq_jobs.fail, 8)
store.close()
print(json.dumps(ids))
"""

WORKER = ("-m", "rq.cli", "worker", "mail", "--worker-class", "signalbox.integrations.rq.SignalboxWorker")


@pytest.fixture(scope="module")
def ids(programs: Programs) -> Iterator[dict[str, str]]:
    """Enqueue one job of each kind, then run the worker until the tests are done. Yield the jobs' ids by name."""
    found = json.loads(programs.run("-c", ENQUEUE))
    programs.stored.task(f"rq:{found['add']}", "queued")
    with programs.running(*WORKER, "--url", f"{programs.redis.url}/3"):
        yield found


def test_jobs_are_tasks_with_their_end_and_their_retries(programs: Programs, ids: dict[str, str]) -> None:
    check_add(programs, f"rq:{ids['add']}", "rq", "rq_jobs.add")
    check_failed(programs, f"rq:{ids['fail']}")
    check_retried(programs, f"rq:{ids['flaky']}")
    check_called(programs, f"rq:{ids['parent']}", "rq_jobs.add(20, 22)")
    programs.stored.task(f"rq:{ids['forgotten']}")


def test_jobs_of_a_run_are_its_work_items(programs: Programs, ids: dict[str, str]) -> None:
    check_items(programs, "rq", "rq_jobs.{}")


def test_a_timeout_is_a_failure_and_a_killed_job_is_interrupted(programs: Programs, ids: dict[str, str]) -> None:
    slow = programs.stored.task(f"rq:{ids['slow']}", "failed")
    assert programs.stored.payload(slow.task_id, "runner_exit")["error_code"] == "JobTimeoutException"
    programs.stored.task(f"rq:{ids['dies']}", "interrupted")


STOP = """
import sys
from rq.command import send_stop_job_command
import rq_jobs

send_stop_job_command(rq_jobs.connection, sys.argv[1])
"""


def test_a_stopped_job_is_cancelled(programs: Programs, ids: dict[str, str]) -> None:
    endless = programs.run(
        "-c", "from rq_jobs import *; print(queue.enqueue('rq_jobs.slow', job_timeout=600).id)"
    ).strip()
    programs.stored.task(f"rq:{endless}", "running")
    programs.run("-c", STOP, endless)
    programs.stored.task(f"rq:{endless}", "cancelled")

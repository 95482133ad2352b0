"""arq with a real Redis server and worker."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.libraries.queues.expected import check_add, check_called, check_failed, check_items, check_retried
from tests.libraries.queues.programs import Programs

ENQUEUE = """
import asyncio, json, os
from arq import create_pool
from arq_jobs import settings
from signalbox import open_store, open_task
from signalbox.integrations.arq import report_enqueued

async def main():
    pool = report_enqueued(await create_pool(settings))
    ids = {"add": (await pool.enqueue_job("add", 2, 3, password="hunter2")).job_id}
    for name in ("flaky", "slow", "parent", "endless"):
        ids[name] = (await pool.enqueue_job(name)).job_id
    ids["fail"] = (await pool.enqueue_job("fail", 7)).job_id
    store = open_store(os.environ["SIGNALBOX_STORE_URL"])
    async with open_task(store, "release") as task, task.phase("executing"):
        await pool.enqueue_job("add", 4, 5)
        await pool.enqueue_job("fail", 8)
    await store.aclose()
    print(json.dumps(ids))

asyncio.run(main())
"""

ABORT = """
import asyncio
from arq import create_pool
from arq.jobs import Job
from arq_jobs import settings

async def main():
    await Job({!r}, await create_pool(settings)).abort(timeout=0)

try:
    asyncio.run(main())
except TimeoutError:
    pass
"""


@pytest.fixture(scope="module")
def ids(programs: Programs) -> Iterator[dict[str, str]]:
    """Enqueue one job of each kind, then run the worker until the tests are done. Yield the jobs' ids by name."""
    found = json.loads(programs.run("-c", ENQUEUE))
    programs.stored.task(f"arq:{found['add']}", "queued")
    with programs.running("-m", "arq", "arq_jobs.WorkerSettings"):
        yield found


def test_jobs_are_tasks_with_their_end_and_their_retries(programs: Programs, ids: dict[str, str]) -> None:
    check_add(programs, f"arq:{ids['add']}", "arq", queue="arq:queue")
    check_failed(programs, f"arq:{ids['fail']}")
    check_retried(programs, f"arq:{ids['flaky']}")
    check_called(programs, f"arq:{ids['parent']}")


def test_jobs_of_a_run_are_its_work_items(programs: Programs, ids: dict[str, str]) -> None:
    check_items(programs, "arq")


def test_a_timeout_is_a_failure_and_an_aborted_job_is_cancelled(programs: Programs, ids: dict[str, str]) -> None:
    slow = programs.stored.task(f"arq:{ids['slow']}", "failed")
    assert programs.stored.payload(slow.task_id, "runner_exit")["error_code"] == "TimeoutError"
    programs.stored.task(f"arq:{ids['endless']}", "running")
    programs.run("-c", ABORT.format(ids["endless"]))
    programs.stored.task(f"arq:{ids['endless']}", "cancelled")


def test_a_job_is_interrupted_when_its_worker_stops(programs: Programs, ids: dict[str, str]) -> None:
    enqueue = ENQUEUE.replace('("flaky", "slow", "parent", "endless")', '("endless",)').replace('"release"', '"other"')
    later = json.loads(programs.run("-c", enqueue))
    with programs.running("-m", "arq", "arq_jobs.WorkerSettings"):
        programs.stored.task(f"arq:{later['endless']}", "running")
    # Both workers may have taken it; the one that did has not ended unless it is this one.
    assert programs.stored.statuses()[f"arq:{later['endless']}"] in ("interrupted", "running")

"""taskiq with a real broker and worker processes."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.libraries.queues.expected import check_add, check_called, check_failed, check_items, check_retried
from tests.libraries.queues.programs import Programs

ENQUEUE = """
import asyncio, json, os
from taskiq_jobs import *
from signalbox import open_store, open_task

async def main():
    await broker.startup()
    ids = {"add": (await add.kiq(2, 3, password="hunter2")).task_id}
    ids["flaky"] = (await flaky.kiq(os.path.abspath("flaky"))).task_id
    for task in (slow, parent):
        ids[task.task_name] = (await task.kiq()).task_id
    ids["fail"] = (await fail.kiq(7)).task_id
    store = open_store(os.environ["SIGNALBOX_STORE_URL"])
    async with open_task(store, "release") as task, task.phase("executing"):
        await add.kiq(4, 5)
        await fail.kiq(8)
    await store.aclose()
    await broker.shutdown()
    print(json.dumps(ids))

asyncio.run(main())
"""


@pytest.fixture(scope="module")
def ids(programs: Programs) -> Iterator[dict[str, str]]:
    """Enqueue one task of each kind, then run the worker until the tests are done. Yield the tasks' ids by name."""
    found = json.loads(programs.run("-c", ENQUEUE))
    programs.stored.task(f"taskiq:{found['add']}", "queued")
    with programs.running("-m", "taskiq", "worker", "taskiq_jobs:broker", "--workers", "2"):
        yield found


def test_tasks_of_taskiq_are_tasks_with_their_end_and_their_retries(programs: Programs, ids: dict[str, str]) -> None:
    check_add(programs, f"taskiq:{ids['add']}", "taskiq")
    check_failed(programs, f"taskiq:{ids['fail']}")
    check_retried(programs, f"taskiq:{ids['flaky']}")
    check_called(programs, f"taskiq:{ids['parent']}")


def test_tasks_of_a_run_are_its_work_items(programs: Programs, ids: dict[str, str]) -> None:
    check_items(programs, "taskiq")


def test_a_timeout_is_a_failure(programs: Programs, ids: dict[str, str]) -> None:
    task = programs.stored.task(f"taskiq:{ids['slow']}", "failed")
    assert programs.stored.payload(task.task_id, "runner_exit")["error_code"] == "TimeoutError"

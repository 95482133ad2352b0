"""Huey with a real Redis server and consumer."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator

import pytest

from tests.libraries.queues.expected import check_add, check_called, check_failed, check_items, check_retried
from tests.libraries.queues.programs import Programs

ENQUEUE = """
import json, os
from huey_jobs import *
from signalbox import open_store, open_task

ids = {"add": add(2, 3, password="hunter2").id}
ids["flaky"] = flaky(os.path.abspath("flaky")).id
for job in (cancels, parent):
    ids[job.func.__name__] = job().id
ids["fail"] = fail(7).id
ids["later"] = add.schedule((1, 1), delay=1).id
revoked = add.schedule((0, 0), delay=1)
revoked.revoke()
ids["revoked"] = revoked.id
store = open_store(os.environ["SIGNALBOX_STORE_URL"])
with open_task(store, "release") as task, task.phase("executing"):
    add(4, 5)
    fail(8)
store.close()
ids["endless"] = endless().id
print(json.dumps(ids))
"""


@pytest.fixture(scope="module")
def ids(programs: Programs) -> Iterator[dict[str, str]]:
    """Enqueue one task of each kind, then run the consumer until the tests are done. Yield the tasks' ids by name."""
    found = json.loads(programs.run("-c", ENQUEUE))
    programs.stored.task(f"huey:{found['add']}", "queued")
    with programs.running("-m", "huey.bin.huey_consumer", "huey_jobs.huey", "-w", "2", "-s", "1") as consumer:
        yield found
        programs.stored.task(f"huey:{found['endless']}", "running")
        os.kill(consumer.pid, signal.SIGINT)
        os.kill(consumer.pid, signal.SIGTERM)
        programs.stored.task(f"huey:{found['endless']}", "interrupted")


def test_tasks_of_huey_are_tasks_with_their_end_and_their_retries(programs: Programs, ids: dict[str, str]) -> None:
    check_add(programs, f"huey:{ids['add']}", "huey")
    check_failed(programs, f"huey:{ids['fail']}")
    check_retried(programs, f"huey:{ids['flaky']}")
    check_called(programs, f"huey:{ids['parent']}")
    programs.stored.task(f"huey:{ids['later']}")


def test_tasks_of_a_run_are_its_work_items(programs: Programs, ids: dict[str, str]) -> None:
    check_items(programs, "huey")


def test_a_cancelled_or_revoked_task_is_cancelled(programs: Programs, ids: dict[str, str]) -> None:
    programs.stored.task(f"huey:{ids['cancels']}", "cancelled")
    programs.stored.task(f"huey:{ids['revoked']}", "cancelled")

"""Dramatiq with a real broker, worker processes and threads."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.libraries.queues.expected import check_add, check_called, check_failed, check_items, check_retried
from tests.libraries.queues.programs import Programs

ENQUEUE = """
import json, os, time
from dramatiq_jobs import *
from signalbox import open_store, open_task

ids = {"add": add.send(2, 3, password="hunter2").message_id}
ids["flaky"] = flaky.send(os.path.abspath("flaky")).message_id
for job in (slow, parent, old):
    ids[job.actor_name] = job.send().message_id
ids["later"] = add.send_with_options(args=(1, 1), delay=300).message_id
ids["fail"] = fail.send(7).message_id
store = open_store(os.environ["SIGNALBOX_STORE_URL"])
with open_task(store, "release") as task, task.phase("executing"):
    add.send(4, 5)
    fail.send(8)
store.close()
print(json.dumps(ids))
"""


@pytest.fixture(scope="module")
def ids(programs: Programs) -> Iterator[dict[str, str]]:
    """Enqueue one message of each kind, then run the worker until the tests are done. Yield the ids by name."""
    found = json.loads(programs.run("-c", ENQUEUE))
    programs.stored.task(f"dramatiq:{found['add']}", "queued")
    with programs.running("-m", "dramatiq", "dramatiq_jobs", "--processes", "2", "--threads", "2"):
        yield found


def test_messages_are_tasks_with_their_end_and_their_retries(programs: Programs, ids: dict[str, str]) -> None:
    check_add(programs, f"dramatiq:{ids['add']}", "dramatiq")
    check_failed(programs, f"dramatiq:{ids['fail']}")
    check_retried(programs, f"dramatiq:{ids['flaky']}")
    check_called(programs, f"dramatiq:{ids['parent']}")
    programs.stored.task(f"dramatiq:{ids['later']}")


def test_messages_of_a_run_are_its_work_items(programs: Programs, ids: dict[str, str]) -> None:
    check_items(programs, "dramatiq")


def test_a_time_limit_is_a_failure_and_a_message_over_its_age_is_cancelled(
    programs: Programs, ids: dict[str, str]
) -> None:
    task = programs.stored.task(f"dramatiq:{ids['slow']}", "failed")
    assert programs.stored.payload(task.task_id, "runner_exit")["error_code"] == "TimeLimitExceeded"
    programs.stored.task(f"dramatiq:{ids['old']}", "cancelled")

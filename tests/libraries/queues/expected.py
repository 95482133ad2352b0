"""The same jobs for every library, and the tasks that they must become."""

from __future__ import annotations

from signalbox.store.state import Task
from tests.libraries.queues.programs import Programs


def check_add(programs: Programs, task_id: str, library: str, name: str = "add", queue: str = "mail") -> None:
    """Check the task of `add(2, 3, password="hunter2")`."""
    task = programs.stored.task(task_id)
    assert task.title == f"{name}(2, 3, password='[redacted]')"
    assert (task.kind, task.tags["queue"], task.tags["job"]) == (library, queue, name)
    assert task.metadata["arguments"] == {"args": [2, 3], "kwargs": {"password": "[redacted]"}}
    assert programs.stored.types(task_id) == ["runner_spawn", "runner_exit"]
    spawn = programs.stored.payload(task_id, "runner_spawn")
    assert spawn["runner_version"].startswith(f"{library} ")
    assert programs.stored.payload(task_id, "runner_exit")["result"] == 5


def check_failed(programs: Programs, task_id: str) -> None:
    """Check the task of `fail(7)`."""
    programs.stored.task(task_id, "failed")
    ended = programs.stored.payload(task_id, "runner_exit")
    assert (ended["error_code"], ended["message"]) == ("LookupError", "no customer 7")
    assert 'raise LookupError(f"no customer {number}")' in ended["traceback"]


def check_retried(programs: Programs, first: str) -> None:
    """Check the two tasks of a job that fails once."""
    second = f"{first}:2"
    retry = programs.stored.task(second)
    assert (retry.metadata["retry_of"], retry.metadata["attempt"]) == (first, 2)
    assert programs.stored.payload(second, "runner_exit")["result"] == "bought"
    programs.stored.task(first, "failed")
    ended = programs.stored.payload(first, "runner_exit")
    assert (ended["error_code"], ended["message"], ended["retry"]) == ("ConnectionError", "the shop is away", second)


def check_items(programs: Programs, library: str, name: str = "{}") -> None:
    """Check the jobs `add(4, 5)` and `fail(8)`, which the task `release` enqueued in its phase `executing`."""
    item = programs.stored.span("release", f"{name.format('add')}(4, 5)")
    assert (item.kind, item.phase) == ("work_item", "executing")
    programs.stored.span("release", f"{name.format('fail')}(8)", "failed")
    assert programs.stored.payload("release", "work_item_complete")["result"] == 9
    assert programs.stored.payload("release", "work_item_failed")["message"] == "no customer 8"
    assert programs.stored.payload("release", "work_item_start")["work_type"] == library


def check_called(programs: Programs, caller: str, title: str = "add(20, 22)") -> None:
    """Check that the job of the task `caller` enqueued one job, which is a task of its own."""
    programs.stored.task(caller)
    assert [task.title for task in tasks_called_by(programs, caller)] == [title]


def tasks_called_by(programs: Programs, caller: str) -> list[Task]:
    """Return the ended tasks of the jobs that the job `caller` enqueued."""
    tasks = [programs.stored.task(name, status) for name, status in programs.stored.statuses().items()]
    return [programs.stored.task(task.task_id) for task in tasks if task.tags.get("caller") == caller]

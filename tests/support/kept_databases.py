"""The content of kept databases of earlier versions, and the comparison with what the newest version would store."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec

from scripts.kept_database import LONG
from signalbox.store import LogQuery, NewEvent, Reading, Store, TaskQuery, TaskRecord, open_store

TASKS = {"nightly": "failed", "beats": "running", "asking": "waiting", "empty": "queued"}

DIFFERENT = ("identity", "event_id", "origin")
"""Fields that differ between any two stores."""

READS: dict[str, Callable[[Reading, str], Awaitable[Any]]] = {
    "task": lambda view, task_id: view.task(task_id),
    "events": lambda view, task_id: view.events(task_id),
    "short events": lambda view, task_id: view.brief().events(task_id),
    "rows": lambda view, task_id: view.rows_after(task_id, 0),
    "rows in number": lambda view, task_id: view.count_rows(task_id, 99),
    "phases": lambda view, task_id: view.phases(task_id),
    "spans": lambda view, task_id: view.spans(task_id, 0, 100),
    "open spans": lambda view, task_id: view.open_spans(task_id, 100),
    "checkpoints": lambda view, task_id: view.checkpoints(task_id, 100),
    "permissions": lambda view, task_id: view.permissions(task_id, open_only=False),
    "failures": lambda view, task_id: view.failures(task_id),
    "colours": lambda view, task_id: view.search(task_id, LogQuery(text="red line")),
    "capitals": lambda view, task_id: view.search(task_id, LogQuery(text="PRINT('ÖRESUND')")),
}


async def check_content(store: Store, folder: Path) -> None:
    """Compare the tasks with the same logs in a new database: what was migrated is what would be stored now."""
    new = open_store(f"sqlite:///{folder}/new.db")
    async with store.read() as view:
        tasks = {task.task_id: task for task in (await view.tasks(TaskQuery())).tasks}
        logs = {task_id: await view.events(task_id) for task_id in TASKS}
    assert TASKS.items() <= {name: task.status for name, task in tasks.items()}.items()
    long = [event.payload for event in logs["nightly"] if event.event_type == "tool_result"]
    assert [(payload, list(payload)) for payload in long] == [(LONG, list(LONG))] * 2
    for task_id, log in logs.items():
        task = tasks[task_id]
        record = TaskRecord(
            task_id=task_id,
            title=task.title,
            kind=task.kind,
            metadata=task.metadata,
            created_at=task.created_at,
            main_span_id="" if task.main_span_seq else task.main_span_id,
        )
        new.import_task(record, log)
    async with store.read() as migrated, new.read() as appended:
        for task_id in TASKS:
            for name, read in READS.items():
                found, expected = await read(migrated, task_id), await read(appended, task_id)
                assert comparable(found) == comparable(expected), f"{name} of {task_id}"
    await new.aclose()
    (retried,) = await store.aappend("nightly", NewEvent(event_type="log", key="error-1"))
    (added,) = await store.aappend("asking", NewEvent(event_type="log", payload={"message": "after the upgrade"}))
    assert (retried.seq < len(logs["nightly"]), added.seq) == (True, len(logs["asking"]) + 1)


def comparable(value: Any) -> Any:
    """Return a value without what differs between any two stores."""
    if isinstance(value, msgspec.Raw):
        return bytes(value).decode()
    if isinstance(value, msgspec.Struct):
        return {name: comparable(getattr(value, name)) for name in value.__struct_fields__ if name not in DIFFERENT}
    return [comparable(one) for one in value] if isinstance(value, list) else value

"""A retry whose server was killed before it started the command does not stay queued for ever."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from signalbox.store import NewEvent, Store, open_store
from signalbox.store.loops import Loops
from signalbox.store.state import Task
from signalbox.webapp.acts.unstarted_retries import UnstartedRetries
from tests.support.log import log_of
from tests.support.waiting import wait_until


def queue(store: Store, task_id: str, retry_of: str) -> None:
    metadata: dict[str, Any] = {"command": ["true"], "retry_of": retry_of, "attempt": 2}
    store.create_task(task_id, metadata=metadata)


async def task_of(store: Store, task_id: str) -> Task:
    async with store.read() as view:
        return await view.task(task_id)


async def test_a_retry_that_nobody_starts_ends_with_the_reason(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path}/store.db")
    store.append("first", NewEvent(event_type="runner_spawn", payload={"runner_pid": 1}))
    for retry in ("abandoned", "started"):
        store.append("first", NewEvent(event_type="retry_requested", payload={"retry": retry}), own=True)
        queue(store, retry, "first")
    store.append("started", NewEvent(event_type="runner_spawn", payload={"runner_pid": 2}))
    queue(store, "of_a_program", "first")
    queue(store, "of_a_lost_run", "deleted")
    retries = UnstartedRetries(store, Loops(), pause=0.05)
    await asyncio.to_thread(wait_until, lambda: len(log_of(store, "abandoned")))
    await retries.stop()
    (end,) = await asyncio.to_thread(log_of, store, "abandoned")
    assert (end.event_type, end.payload["error_code"]) == ("runner_exit", "not_started")
    assert end.payload["message"] == "the server ended before it started the command"
    statuses = [
        (await task_of(store, name)).status for name in ("abandoned", "started", "of_a_program", "of_a_lost_run")
    ]
    assert statuses == ["failed", "running", "queued", "queued"]
    await store.aclose()

"""A retry whose server was killed before it started the command does not stay queued for ever."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from signalbox.store import NewEvent, Store, open_store
from signalbox.store.loops import Loops
from signalbox.store.state import Task
from signalbox.webapp.acts.unstarted_retries import UnstartedRetries
from tests.support.log import log_of


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    opened = open_store(f"sqlite:///{tmp_path}/store.db")
    yield opened
    await opened.aclose()


@pytest.fixture
async def retries(store: Store) -> AsyncIterator[UnstartedRetries]:
    made = UnstartedRetries(store, Loops())
    yield made
    await made.stop()


async def queue(store: Store, task_id: str, retry_of: str) -> None:
    metadata: dict[str, Any] = {"command": ["true"], "retry_of": retry_of, "attempt": 2}
    await store.acreate_task(task_id, metadata=metadata)


async def task_of(store: Store, task_id: str) -> Task:
    async with store.read() as view:
        return await view.task(task_id)


async def test_a_retry_that_nobody_starts_ends_with_the_reason(store: Store, retries: UnstartedRetries) -> None:
    await store.aappend("first", NewEvent(event_type="runner_spawn", payload={"runner_pid": 1}))
    for retry in ("abandoned", "started"):
        await store.aappend("first", NewEvent(event_type="retry_requested", payload={"retry": retry}), own=True)
        await queue(store, retry, "first")
    await queue(store, "of_a_program", "first")
    await queue(store, "of_a_lost_run", "deleted")
    await retries.look()
    assert (await task_of(store, "abandoned")).status == "queued", "its server may be starting it"
    await store.aappend("started", NewEvent(event_type="runner_spawn", payload={"runner_pid": 2}))
    await retries.look()
    (end,) = await asyncio.to_thread(log_of, store, "abandoned")
    assert (end.event_type, end.payload["error_code"]) == ("runner_exit", "not_started")
    assert end.payload["message"] == "the server ended before it started the command"
    statuses = [
        (await task_of(store, name)).status for name in ("abandoned", "started", "of_a_program", "of_a_lost_run")
    ]
    assert statuses == ["failed", "running", "queued", "queued"]

"""Create projects with agents and wait for their runs, for tests in asyncio."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from signalbox.store import Event
from signalbox.store.people import Project
from signalbox.store.sqlite import SqliteStore
from signalbox.store.state import Task


def project(store: SqliteStore, agent: dict[str, Any] | None, project_id: str = "p") -> Project:
    return store.people.add_project(project_id, "A project", agent=agent)


async def wait_for_task(store: SqliteStore, task_id: str, condition: Callable[[Task], bool]) -> Task:
    """Wait until `condition` holds for the task, and return the task."""
    async with asyncio.timeout(60):
        while True:
            async with store.glance() as view:
                task = await view.task(task_id)
            if condition(task):
                return task
            await asyncio.sleep(0.02)


async def wait_until_ended(store: SqliteStore, task_id: str) -> Task:
    return await wait_for_task(store, task_id, lambda task: task.ended)


async def log_of(store: SqliteStore, task_id: str) -> list[Event]:
    async with store.read() as view:
        return await view.events(task_id, 0, 1000)


async def lines_of(store: SqliteStore, task_id: str) -> list[str]:
    return [event.payload["message"] for event in await log_of(store, task_id) if event.event_type == "log"]

"""Projects with agents, and how their runs come along, for tests in asyncio."""

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


async def when(store: SqliteStore, task_id: str, there: Callable[[Task], bool]) -> Task:
    """The task, once `there` says yes."""
    async with asyncio.timeout(60):
        while True:
            async with store.glance() as view:
                task = await view.task(task_id)
            if there(task):
                return task
            await asyncio.sleep(0.02)


async def ended(store: SqliteStore, task_id: str) -> Task:
    return await when(store, task_id, lambda task: task.ended)


async def log_of(store: SqliteStore, task_id: str) -> list[Event]:
    async with store.read() as view:
        return await view.events(task_id, 0, 1000)


async def lines_of(store: SqliteStore, task_id: str) -> list[str]:
    return [event.payload["message"] for event in await log_of(store, task_id) if event.event_type == "log"]

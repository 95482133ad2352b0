"""Read and write logs from tests that do not use asyncio."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

from signalbox.store import Event, NewEvent, TaskQuery, UnknownTask, open_store
from signalbox.store.contract import Store
from signalbox.store.state import Permission, Span, Task


def log_of(store: Store, task_id: str) -> list[Event]:
    """Return the whole log of a task."""

    async def read() -> list[Event]:
        async with store.read() as view:
            return await view.events(task_id, 0, 1_000_000)

    return asyncio.run(read())


def types_of(store: Store, task_id: str) -> list[str]:
    """Return the types of a task's events, without heartbeats."""
    return [event.event_type for event in log_of(store, task_id) if event.event_type != "runner_heartbeat"]


def task_of(store: Store, task_id: str) -> Task:
    """Return the state of a task."""

    async def read() -> Task:
        async with store.read() as view:
            return await view.task(task_id)

    return asyncio.run(read())


def tasks_of(store: Store) -> list[Task]:
    """Return all tasks, newest first."""

    async def read() -> list[Task]:
        async with store.read() as view:
            return (await view.tasks(TaskQuery())).tasks

    return asyncio.run(read())


def audits_of(store: Store, task_id: str | None = None) -> list[dict[str, Any]]:
    """Return the audits of one task, or of the whole store, newest first."""

    async def read() -> list[dict[str, Any]]:
        async with store.read() as view:
            return await view.audits(task_id)

    return asyncio.run(read())


def spans_of(store: Store, task_id: str) -> dict[str, Span]:
    """Return a task's spans by name."""

    async def read() -> list[Span]:
        async with store.read() as view:
            return await view.spans(task_id)

    return {span.name: span for span in asyncio.run(read())}


def open_permissions(store: Store, task_id: str) -> list[Permission]:
    """Return a task's open permission requests."""

    async def read() -> list[Permission]:
        async with store.read() as view:
            return await view.permissions(task_id)

    return asyncio.run(read())


def wait_for_event(url: str, task_id: str, condition: Callable[[Event], bool], *, timeout: float = 60) -> Event:
    """Wait for the first event of a task for which `condition` returns True, and return it."""
    store, deadline = open_store(url), time.monotonic() + timeout
    try:
        while time.monotonic() < deadline:
            try:
                matches = [event for event in log_of(store, task_id) if condition(event)]
            except UnknownTask:
                matches = []
            if matches:
                return matches[0]
            time.sleep(0.02)
        raise AssertionError(f"it never came; the log of {task_id} is {types_of(store, task_id)[-20:]}")
    finally:
        store.close()


def answer(store: Store, task_id: str, request_id: str, approved: bool, by: str, reason: str | None = None) -> Event:
    """Answer a permission request as the server does for a person."""
    payload = {"request_id": request_id, "approved": approved, "by": by} | ({"reason": reason} if reason else {})
    return append_audited(store, task_id, "permission_response", by, **payload)


def cancel(store: Store, task_id: str, by: str = "ann") -> Event:
    """Ask a run to stop, as the server does for a person."""
    return append_audited(store, task_id, "cancel_requested", by, by=by)


def append_audited(store: Store, task_id: str, event_type: str, actor: str, **payload: Any) -> Event:
    """Append the event of a person's action together with its audit."""
    store.create_task(task_id)
    event = NewEvent(event_type=event_type, actor="user", payload=payload)
    return store.append_audited(task_id, event, actor=actor, action=event_type)

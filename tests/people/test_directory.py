"""Test that the directory caches nothing that changed while it was read."""

from __future__ import annotations

import asyncio
from typing import Any, cast

from signalbox.store import NewEvent
from signalbox.store.people import TaskSummary
from signalbox.store.sqlite import SqliteStore
from signalbox.webapp.auth.directory import Directory


class SlowPeople:
    """The people of a store, with delayed answers."""

    def __init__(self, store: SqliteStore) -> None:
        self._people = store.people
        self.read, self.go_on = asyncio.Event(), asyncio.Event()

    async def task_summary(self, task_id: str) -> TaskSummary | None:
        summary = await self._people.task_summary(task_id)
        self.read.set()
        await self.go_on.wait()
        return summary


async def test_a_deletion_is_noticed_among_the_events_of_other_tasks(store: SqliteStore) -> None:
    for project in ("ours", "theirs"):
        store.people.add_project(project, project)
    store.create_task("run", project_id="ours")
    directory = Directory(store.people, always=True, on_check=do_nothing)
    event = NewEvent(event_type="log")
    directory.on_commit(store.append("busy", event))
    assert await directory.project_of("run") == "ours"
    before = store.append("busy", event)
    store.delete_task("run")
    store.create_task("run", project_id="theirs")
    directory.on_commit([*before, *store.append("busy", event)])
    assert await directory.project_of("run") == "theirs"


async def do_nothing() -> None:
    pass


async def test_a_task_created_again_in_another_project_is_not_confused_with_the_old_one(store: SqliteStore) -> None:
    for project in ("ours", "theirs"):
        store.people.add_project(project, project)
    store.create_task("run", project_id="ours")
    people = SlowPeople(store)
    directory = Directory(cast(Any, people), always=True, on_check=do_nothing)
    reading = asyncio.create_task(directory.project_of("run"))
    await people.read.wait()
    store.delete_task("run")
    store.create_task("run", project_id="theirs")
    directory.on_commit([])
    people.go_on.set()
    await reading
    assert await directory.project_of("run") == "theirs"

"""What the directory remembers: nothing that changed while it was read."""

from __future__ import annotations

import asyncio
from typing import Any, cast

from signalbox.store import NewEvent
from signalbox.store.people import Place
from signalbox.store.sqlite import SqliteStore
from signalbox.webapp.auth.directory import Directory


class SlowPeople:
    """People of a store whose answers are late."""

    def __init__(self, store: SqliteStore) -> None:
        self._people = store.people
        self.read, self.go_on = asyncio.Event(), asyncio.Event()

    async def place_of(self, task_id: str) -> Place | None:
        found = await self._people.place_of(task_id)
        self.read.set()
        await self.go_on.wait()
        return found


async def test_a_deletion_is_noticed_among_the_events_of_other_tasks(store: SqliteStore) -> None:
    for project in ("ours", "theirs"):
        store.people.add_project(project, project)
    store.create_task("run", project_id="ours")
    directory = Directory(store.people, always=True, on_look=nothing)
    event = NewEvent(event_type="log")
    directory.hear(store.append("busy", event))
    assert await directory.project_of("run") == "ours"
    before = store.append("busy", event)
    store.delete_task("run")
    store.create_task("run", project_id="theirs")
    directory.hear([*before, *store.append("busy", event)])
    assert await directory.project_of("run") == "theirs"


async def nothing() -> None:
    pass


async def test_a_task_that_is_made_anew_elsewhere_is_not_taken_for_the_one_before(store: SqliteStore) -> None:
    for project in ("ours", "theirs"):
        store.people.add_project(project, project)
    store.create_task("run", project_id="ours")
    people = SlowPeople(store)
    directory = Directory(cast(Any, people), always=True, on_look=nothing)
    asked = asyncio.create_task(directory.project_of("run"))
    await people.read.wait()
    store.delete_task("run")
    store.create_task("run", project_id="theirs")
    directory.hear([])
    people.go_on.set()
    await asked
    assert await directory.project_of("run") == "theirs"

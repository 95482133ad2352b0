"""Test the title that a task gets after its creation."""

from __future__ import annotations

from typing import Any

from signalbox.store import NewEvent, Store, TaskQuery
from signalbox.store.state import Task


def changed(title: Any) -> NewEvent:
    return NewEvent(event_type="title_changed", payload={"title": title})


async def read(store: Store, task_id: str) -> Task:
    async with store.read() as view:
        return await view.task(task_id)


async def found(store: Store, text: str) -> list[str]:
    async with store.read() as view:
        return [task.task_id for task in (await view.tasks(TaskQuery(text=text))).tasks]


async def test_a_task_gets_its_title_later_and_is_found_by_it(store: Store) -> None:
    store.create_task("run")
    store.append("run", changed("Fix the\n  flaky test"))
    task = await read(store, "run")
    assert (task.title, task.status) == ("Fix the flaky test", "queued")
    assert await found(store, "flaky") == ["run"]
    store.append("run", [NewEvent(event_type="runner_spawn"), changed("Another title")])
    assert (await read(store, "run")).title == "Another title"
    assert await found(store, "flaky") == []


async def test_a_title_that_is_no_text_changes_nothing_and_a_long_one_is_cut(store: Store) -> None:
    store.create_task("run", title="Before")
    for value in (None, 7, "", " \n", "bell \x07", ["a"]):
        store.append("run", changed(value))
    assert (await read(store, "run")).title == "Before"
    store.append("run", changed("long " * 1000))
    title = (await read(store, "run")).title
    assert title is not None
    assert len(title) == 512
    assert title.endswith("…")

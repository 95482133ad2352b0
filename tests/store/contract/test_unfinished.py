"""Test the unfinished lines of a running task: state that its command may still change, and no events."""

from __future__ import annotations

import pytest

from signalbox.store import NewEvent, Store, UnknownTask
from signalbox.store.contract import Standing
from signalbox.store.state import Unfinished

LOG = NewEvent(event_type="log")
END = NewEvent(event_type="runner_exit", payload={"exit_code": 0})


async def lines_of(store: Store, task_id: str = "run") -> list[Unfinished]:
    async with store.read() as view:
        return await view.unfinished(task_id)


async def standing_of(store: Store) -> Standing:
    async with store.read() as view:
        return (await view.standings(["run"]))["run"]


async def test_lines_replace_the_earlier_ones_and_add_no_event(store: Store) -> None:
    store.append("run", LOG)
    assert await lines_of(store) == []
    assert (await standing_of(store)).unfinished == ""
    store.set_unfinished("run", [Unfinished("10 %", "stdout"), Unfinished("11 %", "stderr")])
    first = await standing_of(store)
    store.set_unfinished("run", [Unfinished("20 %")])
    second = await standing_of(store)
    assert await lines_of(store) == [Unfinished("20 %")]
    assert first.latest_seq == second.latest_seq == 1
    assert "" < first.unfinished < second.unfinished
    store.set_unfinished("run", [])
    assert await lines_of(store) == []


async def test_lines_are_stored_as_they_are(store: Store) -> None:
    given = [Unfinished("nul \x00", "stdout"), Unfinished("\x1b[31mred", None), Unfinished("Ärger 🙂", "stderr")]
    store.append("run", LOG)
    store.set_unfinished("run", given)
    assert await lines_of(store) == given


async def test_a_run_that_ends_has_no_lines(store: Store) -> None:
    store.append("run", LOG)
    store.set_unfinished("run", [Unfinished("10 %")])
    store.append("run", END)
    assert await lines_of(store) == []
    store.set_unfinished("run", [Unfinished("too late")])
    assert await lines_of(store) == []


async def test_lines_of_a_deleted_task_are_deleted_with_it(store: Store) -> None:
    store.append("run", LOG)
    store.set_unfinished("run", [Unfinished("10 %")])
    store.delete_task("run")
    store.append("run", LOG)
    assert await lines_of(store) == []


async def test_lines_of_an_unknown_or_replaced_task_are_refused(store: Store) -> None:
    with pytest.raises(UnknownTask):
        store.set_unfinished("nobody", [Unfinished("10 %")])
    store.append("run", LOG)
    with pytest.raises(UnknownTask):
        store.set_unfinished("run", [Unfinished("10 %")], identity="of another task")
    assert await lines_of(store) == []

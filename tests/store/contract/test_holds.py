"""Test holds: a held task cannot be deleted, and the list, the task and the audits show the hold."""

from __future__ import annotations

import pytest

from signalbox.store import Conflict, InvalidEvent, NewEvent, Store, TaskQuery, UnknownTask

DONE = NewEvent(event_type="runner_exit", payload={"exit_code": 0})


async def test_a_held_task_cannot_be_deleted_until_it_is_released(store: Store) -> None:
    store.append("kept", DONE)
    held = await store.ahold_task("kept", "evidence", actor="ada")
    assert held.hold is not None
    assert (held.hold.by, held.hold.reason) == ("ada", "evidence")
    for actor in ("grace", None):
        with pytest.raises(Conflict, match=r"ada holds the run since .*: evidence\. Release the hold first"):
            await store.adelete_task("kept", actor=actor)
    async with store.read() as view:
        assert (await view.task("kept")).hold == held.hold
        assert [task.hold for task in (await view.tasks(TaskQuery())).tasks] == [held.hold]
        assert (await view.standings(["kept"]))["kept"].flags == (False, False, held.hold, False)
    store.append("kept", NewEvent(event_type="log", payload={"message": "a late line"}))
    async with store.read() as view:
        assert (await view.task("kept")).hold == held.hold
    released = await store.ahold_task("kept", None, actor="ada")
    assert released.hold is None
    await store.adelete_task("kept", actor="grace")
    async with store.read() as view:
        actions = [audit["action"] for audit in await view.audits("kept")]
    assert sorted(actions) == ["hold_released", "task_deleted", "task_held"]


async def test_releasing_a_task_without_a_hold_does_nothing(store: Store) -> None:
    store.create_task("free")
    await store.ahold_task("free", None, actor="ada")
    async with store.read() as view:
        assert await view.audits("free") == []


async def test_a_hold_needs_a_task_and_a_reason(store: Store) -> None:
    with pytest.raises(UnknownTask):
        await store.ahold_task("nobody", "why", actor="ada")
    store.create_task("free")
    for reason in ("", "x" * 2001):
        with pytest.raises(InvalidEvent, match="reason"):
            await store.ahold_task("free", reason, actor="ada")

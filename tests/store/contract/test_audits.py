"""Test audits: each is stored together with its event, and outlives the log."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from signalbox.store import Conflict, Event, InvalidEvent, NewEvent, Store, UnknownTask
from signalbox.store.audit_query import AuditQuery

ASKED = NewEvent(event_type="permission_request", payload={"request_id": "r1", "tool_name": "rm"})


def answer(approved: bool, by: str = "ann") -> NewEvent:
    payload = {"request_id": "r1", "approved": approved, "by": by}
    return NewEvent(event_type="permission_response", actor="user", payload=payload)


async def append_audited(store: Store, event: NewEvent, actor: str = "ann", task_id: str = "run") -> Event:
    return await store.aappend_audited(task_id, event, actor=actor, action="permission_response", source="10.0.0.7")


async def audits(store: Store, task_id: str | None = None, **filters: Any) -> list[dict[str, Any]]:
    async with store.read() as view:
        return await view.audits(task_id, **filters)


async def test_an_action_is_stored_as_an_event_and_an_audit_with_its_seq(store: Store) -> None:
    store.append("run", ASKED)
    event = await append_audited(store, answer(True))
    (audit,) = await audits(store, "run")
    assert (event.seq, event.event_type, event.actor) == (2, "permission_response", "user")
    assert audit["at"] >= event.created_at
    assert audit["project_id"] == "default"
    stored = {name: audit[name] for name in ("actor", "action", "task_id", "seq", "source", "detail")}
    assert stored == {
        "actor": "ann",
        "action": "permission_response",
        "task_id": "run",
        "seq": 2,
        "source": "10.0.0.7",
        "detail": {"request_id": "r1", "approved": True, "by": "ann"},
    }


async def test_one_of_many_concurrent_answers_wins_and_is_audited(store: Store) -> None:
    store.append("run", ASKED)
    people = [f"person {n}" for n in range(20)]
    answers = (append_audited(store, answer(n % 2 == 0, actor), actor) for n, actor in enumerate(people))
    outcomes = await asyncio.gather(*answers, return_exceptions=True)
    winners = [actor for actor, outcome in zip(people, outcomes, strict=True) if isinstance(outcome, Event)]
    lost = [outcome for outcome in outcomes if isinstance(outcome, Conflict)]
    assert (len(winners), len(lost)) == (1, 19)
    assert [audit["actor"] for audit in await audits(store, "run")] == winners
    async with store.read() as view:
        permission = await view.permission("run", "r1")
    assert permission is not None
    assert permission.by == winners[0]


async def test_a_refused_action_leaves_no_audit(store: Store) -> None:
    store.append("run", ASKED)
    with pytest.raises(UnknownTask):
        await append_audited(store, answer(True), task_id="nobody")
    with pytest.raises(InvalidEvent):
        await append_audited(store, answer(True), actor="")
    with pytest.raises(Conflict):
        await append_audited(store, NewEvent(event_type="permission_response", payload={"request_id": "other"}))
    assert await audits(store) == []
    async with store.read() as view:
        assert (await view.task("run")).latest_seq == 1
        assert await view.permission("run", "other") is None


async def test_audits_outlive_their_task_and_are_paged(store: Store) -> None:
    for n in range(5):
        store.append(f"run-{n}", ASKED)
        await append_audited(store, answer(True), task_id=f"run-{n}")
    store.delete_task("run-0")
    newest = await audits(store, limit=3)
    older = await audits(store, before=newest[-1]["audit_id"])
    assert [audit["task_id"] for audit in newest + older] == [f"run-{n}" for n in (4, 3, 2, 1, 0)]
    assert [audit["task_id"] for audit in await audits(store, "run-0")] == ["run-0"]


async def test_audits_of_a_project_include_those_of_deleted_tasks(store: Store) -> None:
    store.people.add_project("ours", "Ours")
    for task_id, project_id in (("run", "ours"), ("other", "default"), ("gone", "ours")):
        store.create_task(task_id, project_id=project_id)
        store.append(task_id, ASKED)
        await append_audited(store, answer(True), task_id=task_id)
    store.audit("ann", "log_in")
    store.delete_task("gone")
    assert [audit["task_id"] for audit in await audits(store, projects=("ours",))] == ["gone", "run"]
    assert await audits(store, "other", projects=("ours",)) == await audits(store, projects=()) == []
    assert len(await audits(store)) == 4


async def test_audits_are_filtered_by_person_action_project_and_time(store: Store) -> None:
    await store.people.aadd_project("ours", "Ours")
    await store.acreate_task("run", project_id="ours")
    for actor, action in (("ada", "archive"), ("bob", "archive"), ("ada", "delete")):
        await store.aaudit(actor, action, task_id="run")
    await store.aaudit("ada", "log_in")

    async def found(**filters: Any) -> list[tuple[str, str]]:
        query = AuditQuery(**filters)
        return [(one["actor"], one["action"]) for one in await audits(store, query=query)]

    assert await found(actor="ada") == [("ada", "log_in"), ("ada", "delete"), ("ada", "archive")]
    assert await found(actor="ada", action="archive") == [("ada", "archive")]
    assert await found(actor="ada", project_id="ours") == [("ada", "delete"), ("ada", "archive")]
    times = sorted(one["at"] for one in await audits(store))
    assert await found(since=times[2]) == [("ada", "log_in"), ("ada", "delete")]
    assert await found(since=times[0], until=times[1]) == [("ada", "archive")]
    store._writer.run(  # type: ignore[attr-defined]
        lambda db: db.execute("UPDATE task_audits SET at = '2999-01-01T00:00:00.000000Z' WHERE action = 'archive'")
    )
    assert ("bob", "archive") in await found(since=times[2]), "the clock was set back after it"
    assert await found(since="9999-01-01T00:00:00.000000Z") == await found(until="0001-01-01T00:00:00.000000Z") == []

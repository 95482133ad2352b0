"""Answers with values, tools that are always allowed, messages, and the list of closed requests."""

from __future__ import annotations

from typing import Any

import pytest

from signalbox.store import Conflict, Event, NewEvent, Store, open_store
from signalbox.store.errors import InvalidEvent
from signalbox.store.history import History
from signalbox.store.permissions import Permission
from signalbox.store.state import Task
from signalbox.store.task_query import closed_permission_cursor
from tests.support.log import append_audited


def asks(request_id: str, tool: str = "push", **fields: Any) -> NewEvent:
    return NewEvent(event_type="permission_request", payload={"request_id": request_id, "tool_name": tool, **fields})


def says(store: Store, request_id: str, task: str = "run", **fields: Any) -> Event:
    said = {"request_id": request_id, "approved": True, "by": "ann", **fields}
    return append_audited(store, task, "permission_response", "ann", **said)


async def task_of(store: Store) -> Task:
    async with store.read() as view:
        return await view.task("run")


async def log_of(store: Store) -> list[Event]:
    async with store.read() as view:
        return await view.events("run")


async def audits_of(store: Store) -> list[dict[str, Any]]:
    async with store.read() as view:
        return await view.audits("run")


async def requests(store: Store, task_id: str = "run") -> dict[str, Permission]:
    async with store.read() as view:
        return {one.request_id: one for one in await view.permissions(task_id, open_only=False)}


async def test_an_answer_keeps_its_value(store: Store) -> None:
    store.append(
        "run", asks("r1", choices=["a", {"value": 2, "label": "Two"}], response_schema=True, editable=["x", 1])
    )
    says(store, "r1", value=2)
    found = (await requests(store))["r1"]
    assert (found.state, found.value, [choice.label for choice in found.choices or []]) == ("approved", 2, ["a", "Two"])
    assert (found.response_schema, found.editable) == (True, ["x"])
    assert (await audits_of(store))[0]["detail"]["value"] == 2


async def test_a_tool_that_is_always_allowed_is_answered_in_the_transaction_of_the_request(
    store: Store, url: str
) -> None:
    store.append("run", asks("r1"))
    first = says(store, "r1", always=True)
    other_process = open_store(url)
    other_process.append("run", [asks("r2", editable=True, arguments={"branch": "x"}), asks("r3", "pull")])
    other_process.close()
    found = await requests(store)
    assert (found["r2"].state, found["r2"].by) == ("approved", "ann (always allowed)")
    assert (found["r2"].remembered_seq, found["r2"].value) == (first.seq, {"branch": "x"})
    assert found["r3"].state == "open"
    answer = next(event for event in await log_of(store) if event.payload.get("remembered_seq"))
    assert (answer.origin, answer.actor) == ("server", "supervisor")
    audit = (await audits_of(store))[0]
    assert (audit["actor"], audit["action"], audit["seq"]) == (
        "ann (always allowed)",
        "permission_response",
        answer.seq,
    )
    async with store.read() as view:
        before = await History().state_at(view, "run", first.seq - 1)
        then = await History().state_at(view, "run", first.seq)
    assert (before.task.allowances, list(then.task.allowances)) == ({}, ["push"])


async def test_a_request_that_needs_a_value_of_a_person_is_never_answered_by_itself(store: Store) -> None:
    store.append("run", asks("r1"))
    says(store, "r1", always=True)
    store.append("run", [asks("r2", choices=["a"]), asks("r3", response_schema={"type": "string"})])
    assert {one.state for one in (await requests(store)).values()} == {"approved", "open"}
    assert (await task_of(store)).permissions_open == 2


async def test_an_allowance_ends_when_it_is_revoked_and_when_another_run_starts(store: Store) -> None:
    async def answered_by_itself(request_id: str) -> bool:
        store.append("run", asks(request_id))
        return (await task_of(store)).permissions_open == 0

    store.append("run", [NewEvent(event_type="runner_spawn"), asks("r1")])
    says(store, "r1", always=True)
    assert await answered_by_itself("r2")
    store.append("run", NewEvent(event_type="allowance_revoked", payload={"tool_name": "push"}))
    assert await answered_by_itself("r3"), "a claim of the run must not revoke it"
    append_audited(store, "run", "allowance_revoked", "bob", tool_name="push")
    assert not await answered_by_itself("r4")
    with pytest.raises(Conflict, match="'push' is not always allowed in this run"):
        append_audited(store, "run", "allowance_revoked", "bob", tool_name="push")
    says(store, "r4", always=True)
    store.append("run", NewEvent(event_type="runner_spawn"))
    assert not await answered_by_itself("r5")


async def test_an_answer_of_the_log_allows_nothing(store: Store) -> None:
    claim = {"request_id": "r1", "approved": True, "always": True, "by": "ann"}
    store.append("run", [asks("r1"), NewEvent(event_type="permission_response", payload=claim)])
    assert (await task_of(store)).allowances == {}


async def test_closed_requests_are_listed_newest_first_by_project_and_task(store: Store) -> None:
    store.people.add_project("ours", "Ours")
    store.create_task("mine", project_id="ours")
    for number in range(5):
        task = "mine" if number % 2 else "run"
        store.append(task, asks(f"r{number}"))
        says(store, f"r{number}", task)
    store.append("run", asks("open"))

    async def closed(**filters: Any) -> list[tuple[Task, Permission]]:
        async with store.read() as view:
            return await view.closed_permissions(**filters)

    found = await closed()
    assert [one.request_id for _, one in found] == ["r4", "r3", "r2", "r1", "r0"]
    assert [one.request_id for _, one in await closed(projects=("ours",))] == ["r3", "r1"]
    assert [one.request_id for _, one in await closed(task_id="run")] == ["r4", "r2", "r0"]
    assert await closed(projects=()) == []
    after_two = await closed(limit=2, before=closed_permission_cursor(*found[1]))
    assert [one.request_id for _, one in after_two] == ["r2", "r1"]
    with pytest.raises(InvalidEvent, match="before must be the cursor"):
        await closed(before="x")


async def test_a_message_is_sent_then_taken_or_ignored(store: Store) -> None:
    store.append("run", NewEvent(event_type="runner_spawn"))
    sent = [
        append_audited(store, "run", "message_sent", "ann", by="ann", text=f"text {n}", data={"n": n}) for n in range(3)
    ]
    taken = NewEvent(event_type="message_taken", payload={"message": sent[1].seq})
    store.append("run", [taken, taken, NewEvent(event_type="message_taken", payload={"message": True})])
    store.append("run", NewEvent(event_type="message_sent", payload={"text": "a claim", "by": "eve"}))

    async def states() -> list[str]:
        async with store.read() as view:
            task = await view.task("run")
            messages, newest = await view.messages("run"), await view.latest_messages("run", 2)
            waiting = await view.messages("run", untaken=True, after=sent[0].seq, limit=1)
            past = await History().state_at(view, "run", sent[1].seq)
        assert [(one.text, one.data, one.by) for one in messages] == [(f"text {n}", {"n": n}, "ann") for n in range(3)]
        assert (newest, [one.seq for one in waiting]) == (messages[1:], [sent[2].seq])
        assert [one.state(past.task) for one in past.messages.values()] == ["sent", "sent"]
        return [one.state(task) for one in messages]

    assert await states() == ["sent", "taken", "sent"]
    store.append("run", NewEvent(event_type="runner_exit", payload={"exit_code": 0}))
    assert await states() == ["ignored", "taken", "ignored"]
    with pytest.raises(Conflict, match="the run has ended: it is done"):
        append_audited(store, "run", "message_sent", "ann", text="late")
    store.append("run", NewEvent(event_type="runner_spawn"))
    assert await states() == ["ignored", "taken", "ignored"], "they were for the earlier run"
    assert [audit["detail"]["text"] for audit in await audits_of(store)] == ["text 2", "text 1", "text 0"]

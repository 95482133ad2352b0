"""Test that a run that reports after the supervisor interrupted it continues as if it had not been interrupted."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

from signalbox.store import Conflict, NewEvent, open_store
from signalbox.store.history import History
from signalbox.store.sqlite import SqliteStore
from tests.support.short_run import begin, event, interrupted, log_of, stored_state

REPORTS = [
    event("runner_heartbeat", "main"),
    event("log", message="still here"),
    event("log", actor="worker", message="still here"),
    event("work_item_progress", "a", progress={"percentage": 50}),
    event("evidence_collected", actor="agent"),
    event("anything_else"),
]


@pytest.mark.parametrize("together", [False, True])
@pytest.mark.parametrize("report", REPORTS)
async def test_a_run_that_reports_after_its_interruption_is_running_again(
    store: SqliteStore, report: NewEvent, together: bool
) -> None:
    begin(store)
    store.append("run", event("permission_request", "a", request_id="r", tool_name="rm", reason="to clean up"))
    before = await stored_state(store)
    for group in [[interrupted(), report]] if together else [[interrupted()], [report]]:
        store.append("run", group)
    after = await stored_state(store)
    assert after.task.status == "waiting"
    assert (after.task.error, after.task.ended_at, after.task.ended_seq) == (None, None, 0)
    assert after.task.message == before.task.message
    assert after.task.spans_open == before.task.spans_open == 3
    assert {span.state for span in after.spans.values() if span.kind != "mark"} == {"open"}
    assert after.phases["executing"].state == "open"
    (permission,) = after.permissions.values()
    assert (permission.state, permission.by, permission.closed_at, permission.seq) == ("open", None, None, 4)
    store.append("run", event("permission_response", actor="user", request_id="r", approved=True, by="ann"), own=True)
    assert (await stored_state(store)).task.status == "running"


async def test_a_reopened_permission_request_is_sent_again_to_clients_that_saw_it_cleared(store: SqliteStore) -> None:
    begin(store)
    store.append("run", event("permission_request", "a", request_id="r", tool_name="rm", arguments={"x": 1}))
    store.append("run", interrupted())
    store.append("run", event("runner_heartbeat", "main"))
    cleared, _, again = (await log_of(store, "run"))[-3:]
    assert (cleared.event_type, cleared.payload["cause"]) == ("permission_cleared", "interrupted")
    assert (again.event_type, again.actor) == ("permission_request", "supervisor")
    assert again.payload == {"request_id": "r", "tool_name": "rm", "arguments": {"x": 1}}


async def test_a_permission_request_of_another_span_is_reopened_within_one_append(store: SqliteStore) -> None:
    begin(store)
    store.append("run", event("permission_request", "elsewhere", request_id="r"))
    store.append("run", [event("runner_exit", "main", status="interrupted"), event("runner_heartbeat", "main")])
    assert (await stored_state(store)).task.status == "waiting"


async def test_a_new_process_does_not_reopen_permission_requests_of_the_interrupted_one(store: SqliteStore) -> None:
    begin(store)
    store.append("run", event("permission_request", request_id="r"))
    store.append("run", interrupted())
    store.append("run", event("runner_spawn", "main"))
    state = await stored_state(store)
    assert (state.task.status, state.task.permissions_open, state.task.spans_open) == ("running", 0, 1)
    assert (state.spans["a"].state, state.spans["main"].attempts) == ("interrupted", 2)


async def test_only_items_closed_by_the_interruption_are_reopened(store: SqliteStore) -> None:
    begin(store)
    store.append("run", [event("permission_request", request_id=f"r{n}") for n in range(3)])
    store.append("run", event("permission_response", actor="user", request_id="r0", approved=False), own=True)
    store.append(
        "run",
        [
            event("permission_cleared", request_id="r1", cause="withdrawn"),
            event("work_item_start", "b"),
            event("work_item_failed", "b"),
            event("phase_enter", "q", "planning"),
            event("phase_exit", "q", "planning", error_code="E"),
        ],
    )
    for _ in range(2):
        store.append("run", interrupted())
        store.append("run", event("log"))
    state = await stored_state(store)
    states = {p.request_id: p.state for p in state.permissions.values()}
    assert states == {"r0": "denied", "r1": "cleared", "r2": "open"}
    assert (state.spans["a"].state, state.spans["b"].state, state.spans["q"].state) == ("open", "failed", "failed")
    assert (state.phases["executing"].state, state.phases["planning"].state) == ("open", "failed")
    assert state.task.permissions_open == 1


async def test_events_of_others_do_not_resume_an_interrupted_run(store: SqliteStore) -> None:
    begin(store)
    store.append("run", event("permission_request", request_id="r"))
    store.append("run", interrupted())
    for event_of_other in (
        event("cancel_requested", actor="user"),
        event("retry_requested", actor="user", retry="again"),
        event("status", actor="supervisor", message="looked"),
        event("log", actor="lease", message="the lease is over"),
    ):
        store.append("run", event_of_other)
        assert (await stored_state(store)).task.status == "interrupted"
    with pytest.raises(Conflict):
        store.append("run", event("permission_response", actor="user", request_id="r", approved=True), own=True)


async def test_a_run_that_ends_after_its_interruption_keeps_its_reported_outcome(store: SqliteStore) -> None:
    begin(store)
    store.append("run", event("permission_request", request_id="r"))
    store.append("run", interrupted())
    store.append("run", event("runner_exit", "main", exit_code=0))
    state = await stored_state(store)
    assert (state.task.status, state.task.permissions_open) == ("done", 0)
    assert {span.state for span in state.spans.values() if span.kind != "mark"} == {"done"}
    assert (await log_of(store, "run"))[-1].event_type == "permission_cleared"


async def test_the_state_at_every_seq_around_an_interruption_can_be_shown(store: SqliteStore) -> None:
    begin(store)
    store.append("run", event("permission_request", request_id="r"))
    store.append("run", interrupted())
    store.append("run", event("log"))
    seen = []
    async with store.read() as view:
        for seq in range(4, (await view.task("run")).latest_seq + 1):
            task = (await History().state_at(view, "run", seq)).task
            seen.append((task.status, task.spans_open, task.permissions_open))
    assert seen == [
        ("waiting", 3, 1),
        ("interrupted", 0, 1),
        ("interrupted", 0, 0),
        ("waiting", 3, 1),
        ("waiting", 3, 1),
    ]


async def test_a_database_of_the_previous_version_is_folded_again(url: str) -> None:
    store = open_store(url)
    begin(store)
    store.append("run", event("permission_request", request_id="r"))
    store.append("run", interrupted())
    store.append("other", [event("work_item_start", "a"), event("runner_exit", exit_code=0), event("log", message="x")])
    store.append("other", event("work_item_failed", "a"))
    expected = [await stored_state(store, task) for task in ("run", "other")]
    await store.aclose()
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as old, old:
        old.executescript(
            "UPDATE tasks SET state = json_remove(state, '$.ended_seq'), duration = NULL;"
            "UPDATE task_spans SET state = json_set(state, '$.state', 'done') WHERE task_id = 'other';"
            "UPDATE task_phases SET state = json_remove(state, '$.exited_seq');"
            "UPDATE task_permissions SET state = json_remove(state, '$.cause');"
            "DROP TABLE tasks_to_fold; DELETE FROM migrations WHERE name = '006_folded_anew'"
        )
    store = open_store(url)
    assert [await stored_state(store, task) for task in ("run", "other")] == expected
    store.append("run", event("runner_heartbeat", "main"))
    assert (await stored_state(store)).task.status == "waiting"
    await store.aclose()

"""What a run says after its end, or after it was taken for dead, counts like everything else."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import Any

import pytest

from signalbox.store import Conflict, Event, NewEvent, TaskRecord, open_store
from signalbox.store.events import OLDER_SPELLINGS
from signalbox.store.history import History
from signalbox.store.past_reading import PastReading
from signalbox.store.sqlite import SqliteStore
from signalbox.store.state import TaskState
from signalbox.webapp.views.waterfall import waterfall_view


def event(event_type: str, span_id: str | None = None, phase: str | None = None, **payload: Any) -> NewEvent:
    actor = payload.pop("actor", "runner")
    return NewEvent(event_type=event_type, span_id=span_id, phase=phase, actor=actor, payload=payload)


def interrupted() -> NewEvent:
    return event("status", actor="supervisor", status="interrupted", explanation="no sign of life")


async def kept(store: SqliteStore, task_id: str = "run") -> TaskState:
    """The state as the tables have it; a fold of the log must say the same."""
    async with store.read() as view:
        state = TaskState(
            task=await view.task(task_id),
            phases={p.phase: p for p in await view.phases(task_id)},
            spans={s.span_id: s for s in await view.spans(task_id)},
            checkpoints={c.checkpoint_id: c for c in await view.checkpoints(task_id)},
            permissions={p.request_id: p for p in await view.permissions(task_id, open_only=False)},
        )
        folded = await History().state_at(view, task_id, state.task.latest_seq)
    assert state == folded
    return state


async def log_of(store: SqliteStore, task_id: str) -> list[Event]:
    async with store.read() as view:
        return await view.events(task_id, 0, 1000)


def begin(store: SqliteStore) -> None:
    store.append(
        "run",
        [
            event("runner_spawn", "main", heartbeat_interval=1),
            event("phase_enter", "p", "executing"),
            event("work_item_start", "a", work_item_id="a"),
        ],
    )


LATE = [
    (event("work_item_failed", "a", message="disk full"), "failed", (1, 0, 1)),
    (event("work_item_complete", "a", error_code="E1"), "failed", (1, 0, 1)),
    (event("work_item_complete", "a"), "done", (1, 1, 0)),
]


@pytest.mark.parametrize("together", [False, True])
@pytest.mark.parametrize(("late", "state", "counts"), LATE)
@pytest.mark.parametrize("end", [{"exit_code": 0}, {"exit_code": 1}, {"status": "cancelled"}])
async def test_a_work_item_that_ends_after_the_run_ends_as_it_says(
    store: SqliteStore, end: dict[str, Any], late: NewEvent, state: str, counts: tuple[int, int, int], together: bool
) -> None:
    begin(store)
    over = event("runner_exit", "main", **end)
    for group in [[over, late]] if together else [[over], [late]]:
        store.append("run", group)
    found = await kept(store)
    assert found.spans["a"].state == state
    assert (found.task.items_total, found.task.items_done, found.task.items_failed) == counts
    phase = found.phases["executing"]
    assert (phase.items_total, phase.items_done, phase.items_failed) == counts
    assert found.spans["a"].error == (None if state == "done" else late.payload.get("message", "E1"))


async def test_a_work_item_that_failed_after_it_was_done_is_failed(store: SqliteStore) -> None:
    begin(store)
    store.append("run", [event("work_item_complete", "a"), event("runner_exit", "main", exit_code=0)])
    store.append("run", event("work_item_failed", "a", message="the check found a fault"))
    task = (await kept(store)).task
    assert (task.items_done, task.items_failed) == (0, 1)


async def test_a_work_item_whose_start_is_not_in_the_log_counts_when_it_fails(store: SqliteStore) -> None:
    begin(store)
    store.append("run", [event("runner_exit", "main", exit_code=0), event("work_item_failed", "b", message="late")])
    found = await kept(store)
    assert (found.spans["b"].kind, found.spans["b"].state) == ("work_item", "failed")
    assert (found.task.items_total, found.task.items_failed) == (2, 1)


OPENING = [
    *[event(kind, "late") for kind in ("work_item_start", *OLDER_SPELLINGS, "tool_status", "log")],
    event("phase_enter", "late", "verifying"),
    event("phase_enter", "p", "executing"),
    event("log", None, "own"),
    event("work_item_start", "a"),
    event("permission_request", "late", request_id="r"),
    event("progress_update", None, progress={"percentage": 5}),
]


@pytest.mark.parametrize("opening", OPENING)
@pytest.mark.parametrize("end", [{"exit_code": 0}, {"exit_code": 1}, {"status": "cancelled"}])
async def test_nothing_of_an_ended_task_stays_open(store: SqliteStore, end: dict[str, Any], opening: NewEvent) -> None:
    begin(store)
    store.append("run", event("runner_exit", "main", **end))
    store.append("run", opening)
    found = await kept(store)
    assert found.task.ended
    assert found.task.spans_open == 0
    assert found.task.permissions_open == 0
    assert not [span for span in found.spans.values() if span.state == "open"]
    assert not [phase for phase in found.phases.values() if phase.state == "open"]
    assert all(phase.exited_at for phase in found.phases.values())


async def test_a_main_span_that_is_named_after_the_end_does_not_stay_open(store: SqliteStore) -> None:
    store.append("run", event("runner_exit", "other", exit_code=0))
    store.append("run", event("log"))
    assert (await kept(store)).task.spans_open == 0


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
async def test_a_run_that_reports_after_its_interruption_was_never_interrupted(
    store: SqliteStore, report: NewEvent, together: bool
) -> None:
    begin(store)
    store.append("run", event("permission_request", "a", request_id="r", tool_name="rm", reason="to clean up"))
    before = await kept(store)
    for group in [[interrupted(), report]] if together else [[interrupted()], [report]]:
        store.append("run", group)
    after = await kept(store)
    assert after.task.status == "waiting"
    assert (after.task.error, after.task.ended_at, after.task.ended_seq) == (None, None, 0)
    assert after.task.message == before.task.message
    assert after.task.spans_open == before.task.spans_open == 3
    assert {span.state for span in after.spans.values() if span.kind != "mark"} == {"open"}
    assert after.phases["executing"].state == "open"
    (question,) = after.permissions.values()
    assert (question.state, question.by, question.closed_at, question.seq) == ("open", None, None, 4)
    store.append("run", event("permission_response", actor="user", request_id="r", approved=True, by="ann"), own=True)
    assert (await kept(store)).task.status == "running"


async def test_the_question_is_told_again_to_clients_that_saw_it_cleared(store: SqliteStore) -> None:
    begin(store)
    store.append("run", event("permission_request", "a", request_id="r", tool_name="rm", arguments={"x": 1}))
    store.append("run", interrupted())
    store.append("run", event("runner_heartbeat", "main"))
    cleared, _, again = (await log_of(store, "run"))[-3:]
    assert (cleared.event_type, cleared.payload["cause"]) == ("permission_cleared", "interrupted")
    assert (again.event_type, again.actor) == ("permission_request", "supervisor")
    assert again.payload == {"request_id": "r", "tool_name": "rm", "arguments": {"x": 1}}


async def test_a_question_of_another_span_is_told_again_within_one_append(store: SqliteStore) -> None:
    begin(store)
    store.append("run", event("permission_request", "elsewhere", request_id="r"))
    store.append("run", [event("runner_exit", "main", status="interrupted"), event("runner_heartbeat", "main")])
    assert (await kept(store)).task.status == "waiting"


async def test_a_new_process_does_not_take_over_what_the_interrupted_one_asked(store: SqliteStore) -> None:
    begin(store)
    store.append("run", event("permission_request", request_id="r"))
    store.append("run", interrupted())
    store.append("run", event("runner_spawn", "main"))
    found = await kept(store)
    assert (found.task.status, found.task.permissions_open, found.task.spans_open) == ("running", 0, 1)
    assert (found.spans["a"].state, found.spans["main"].attempts) == ("interrupted", 2)


async def test_only_what_the_interruption_closed_opens_again(store: SqliteStore) -> None:
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
    found = await kept(store)
    states = {p.request_id: p.state for p in found.permissions.values()}
    assert states == {"r0": "denied", "r1": "cleared", "r2": "open"}
    assert (found.spans["a"].state, found.spans["b"].state, found.spans["q"].state) == ("open", "failed", "failed")
    assert (found.phases["executing"].state, found.phases["planning"].state) == ("open", "failed")
    assert found.task.permissions_open == 1


async def test_what_is_not_the_run_does_not_bring_it_back(store: SqliteStore) -> None:
    begin(store)
    store.append("run", event("permission_request", request_id="r"))
    store.append("run", interrupted())
    for beside in (
        event("cancel_requested", actor="user"),
        event("retry_requested", actor="user", retry="again"),
        event("status", actor="supervisor", message="looked"),
        event("log", actor="lease", message="the lease is over"),
    ):
        store.append("run", beside)
        assert (await kept(store)).task.status == "interrupted"
    with pytest.raises(Conflict):
        store.append("run", event("permission_response", actor="user", request_id="r", approved=True), own=True)


async def test_a_run_that_ends_after_its_interruption_ended_as_it_says(store: SqliteStore) -> None:
    begin(store)
    store.append("run", event("permission_request", request_id="r"))
    store.append("run", interrupted())
    store.append("run", event("runner_exit", "main", exit_code=0))
    found = await kept(store)
    assert (found.task.status, found.task.permissions_open) == ("done", 0)
    assert {span.state for span in found.spans.values() if span.kind != "mark"} == {"done"}
    assert (await log_of(store, "run"))[-1].event_type == "permission_cleared"


async def test_any_moment_of_an_interruption_can_be_seen(store: SqliteStore) -> None:
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


async def test_a_database_of_the_version_before_is_folded_anew(url: str) -> None:
    store = open_store(url)
    begin(store)
    store.append("run", event("permission_request", request_id="r"))
    store.append("run", interrupted())
    store.append("other", [event("work_item_start", "a"), event("runner_exit", exit_code=0), event("log", message="x")])
    store.append("other", event("work_item_failed", "a"))
    wanted = [await kept(store, task) for task in ("run", "other")]
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
    assert [await kept(store, task) for task in ("run", "other")] == wanted
    store.append("run", event("runner_heartbeat", "main"))
    assert (await kept(store)).task.status == "waiting"
    await store.aclose()


# time


async def imported(store: SqliteStore, created_at: str, *times: str) -> list[Event]:
    """A run whose spans begin and end at these times, as an import wrote it."""
    kinds = ["runner_spawn", "work_item_start", "work_item_complete", "work_item_start", "work_item_complete"]
    spans = ["main", "a", "a", "b", "b"]
    log = [
        Event(
            event_id=1, task_id="x", seq=n, event_type=kind, phase=None, actor="runner", span_id=span,
            parent_span_id=None, payload_json=b"{}", created_at=f"2026-11-26T{at}Z",  # type: ignore[arg-type]
        )
        for n, (kind, span, at) in enumerate(zip([*kinds, "runner_exit"], [*spans, "main"], times, strict=True), 1)
    ]  # fmt: skip
    store.import_task(TaskRecord(task_id="run", created_at=f"2026-11-26T{created_at}Z"), log)
    return await log_of(store, "run")


BACK = [f"{at}.000000" for at in ("10:00:00", "10:00:10", "10:00:05", "09:59:00", "10:01:00", "09:58:00")]


async def test_time_never_goes_back_in_an_import(store: SqliteStore) -> None:
    times = [event.created_at[11:19] for event in await imported(store, "14:33:30.904120", *BACK)]
    assert times == ["10:00:00", "10:00:10", "10:00:10", "10:00:10", "10:01:00", "10:01:00"]
    task = (await kept(store)).task
    assert task.created_at <= (await log_of(store, "run"))[0].created_at
    assert task.started_at is not None
    assert task.ended_at is not None
    assert task.started_at <= task.ended_at <= task.updated_at


async def test_time_never_goes_back_when_the_clock_does(store: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(["10:00:00", "10:00:05", "09:00:00", "09:00:01", "08:00:00", "10:00:06", "07:00:00"])
    monkeypatch.setattr("signalbox.store.sqlite.append.now", lambda: f"2026-11-26T{next(clock)}.000000Z")
    for _ in range(3):
        store.append("run", [event("log"), event("log")])
    await store.aappend("run", event("log"))
    store.append("run", event("log"))
    times = [event.created_at for event in await log_of(store, "run")]
    assert times == sorted(times)
    assert len(set(times)) == 2


async def test_no_bar_has_a_negative_width_whatever_the_times(store: SqliteStore) -> None:
    await imported(store, "09:00:00.000000", *sorted(BACK))
    async with store.read() as view:
        state = await History().state_at(view, "run", 6)
        # As an older version has stored it.
        starts = iter(["10:00:00", "10:00:10", "09:59:00"])
        ends = iter(["09:58:00", "10:00:05", "10:01:00"])
        for span in state.spans.values():
            span.started_at, span.ended_at = (f"2026-11-26T{next(side)}.000000Z" for side in (starts, ends))
        seen = await waterfall_view(PastReading(view, state), "run")
    assert len(seen.bars) == 3
    for bar in seen.bars:
        assert 0 <= bar.left <= 100
        assert 0 <= bar.width <= 100


async def test_the_case_of_a_clock_that_went_back_is_drawn(store: SqliteStore) -> None:
    await imported(store, "14:33:30.904120", *BACK)
    async with store.read() as view:
        run, first, second = [bar.width for bar in (await waterfall_view(view, "run")).bars]
    assert (run, second) == (100, pytest.approx(83.3, abs=0.1))
    assert first == 0

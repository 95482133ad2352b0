"""Test that events after the end of a run count, and that nothing of an ended run stays open."""

from __future__ import annotations

from typing import Any

import pytest

from signalbox.store import NewEvent
from signalbox.store.events import OLDER_SPELLINGS
from signalbox.store.sqlite import SqliteStore
from tests.support.short_run import begin, event, stored_state

LATE = [
    (event("work_item_failed", "a", message="disk full"), "failed", (1, 0, 1)),
    (event("work_item_complete", "a", error_code="E1"), "failed", (1, 0, 1)),
    (event("work_item_complete", "a"), "done", (1, 1, 0)),
]


@pytest.mark.parametrize("together", [False, True])
@pytest.mark.parametrize(("late", "state", "counts"), LATE)
@pytest.mark.parametrize("end", [{"exit_code": 0}, {"exit_code": 1}, {"status": "cancelled"}])
async def test_a_work_item_that_ends_after_the_run_keeps_its_reported_outcome(
    store: SqliteStore, end: dict[str, Any], late: NewEvent, state: str, counts: tuple[int, int, int], together: bool
) -> None:
    begin(store)
    exit_event = event("runner_exit", "main", **end)
    for group in [[exit_event, late]] if together else [[exit_event], [late]]:
        store.append("run", group)
    found = await stored_state(store)
    assert found.spans["a"].state == state
    assert (found.task.items_total, found.task.items_done, found.task.items_failed) == counts
    phase = found.phases["executing"]
    assert (phase.items_total, phase.items_done, phase.items_failed) == counts
    assert found.spans["a"].error == (None if state == "done" else late.payload.get("message", "E1"))


async def test_a_work_item_that_fails_after_completion_counts_as_failed(store: SqliteStore) -> None:
    begin(store)
    store.append("run", [event("work_item_complete", "a"), event("runner_exit", "main", exit_code=0)])
    store.append("run", event("work_item_failed", "a", message="the check found a fault"))
    task = (await stored_state(store)).task
    assert (task.items_done, task.items_failed) == (0, 1)


async def test_a_failed_work_item_counts_without_its_start_in_the_log(store: SqliteStore) -> None:
    begin(store)
    store.append("run", [event("runner_exit", "main", exit_code=0), event("work_item_failed", "b", message="late")])
    state = await stored_state(store)
    assert (state.spans["b"].kind, state.spans["b"].state) == ("work_item", "failed")
    assert (state.task.items_total, state.task.items_failed) == (2, 1)


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
    state = await stored_state(store)
    assert state.task.ended
    assert state.task.spans_open == 0
    assert state.task.permissions_open == 0
    assert not [span for span in state.spans.values() if span.state == "open"]
    assert not [phase for phase in state.phases.values() if phase.state == "open"]
    assert all(phase.exited_at for phase in state.phases.values())


async def test_a_main_span_named_after_the_end_does_not_stay_open(store: SqliteStore) -> None:
    store.append("run", event("runner_exit", "other", exit_code=0))
    store.append("run", event("log"))
    assert (await stored_state(store)).task.spans_open == 0

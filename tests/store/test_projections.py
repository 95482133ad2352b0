"""Test that projections equal a fold over any log, and show the state that a person would expect."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from signalbox.store import NewEvent, Store, open_store
from signalbox.store.events import KNOWN_EVENTS
from signalbox.store.projections import fold
from signalbox.store.sqlite import SqliteStore
from signalbox.store.state import Task, TaskState
from tests.support.examples import examples


async def stored_state(store: Store, task_id: str) -> TaskState:
    """Return the state as the store's tables hold it."""
    async with store.read() as view:
        return TaskState(
            task=await view.task(task_id),
            phases={p.phase: p for p in await view.phases(task_id)},
            spans={s.span_id: s for s in await view.spans(task_id)},
            checkpoints={c.checkpoint_id: c for c in await view.checkpoints(task_id)},
            permissions={p.request_id: p for p in await view.permissions(task_id, open_only=False)},
        )


async def folded(store: Store, task_id: str, start: Task) -> TaskState:
    async with store.read() as view:
        return fold(start, await view.events(task_id, 0, 10_000))


spans = st.sampled_from(["s1", "s2", "s3", "s4", None])
small = st.one_of(
    st.none(), st.integers(-5, 10**18), st.floats(allow_nan=False, allow_infinity=False), st.text(max_size=5)
)
payloads = st.fixed_dictionaries(
    {},
    optional={
        "status": st.sampled_from(["done", "failed", "running", "waiting", "interrupted", "nonsense", "SUCCESS"]),
        "exit_code": small,
        "error_code": small,
        "message": small,
        "request_id": st.sampled_from(["r1", "r2", "r3"]),
        "checkpoint_id": st.sampled_from(["c1", "c2", 7]),
        "progress": st.one_of(small, st.dictionaries(st.sampled_from(["current", "total", "percentage"]), small)),
        "evidence_refs": st.one_of(small, st.dictionaries(st.just("checkpoint_id"), small)),
        "approved": st.booleans(),
        "heartbeat_interval": small,
        "tool_name": small,
        "work_item_id": small,
        "model": st.sampled_from(["small-1", "large-1"]),
        "usage": st.fixed_dictionaries(
            {"input_tokens": st.integers(0, 9)}, optional={"output_tokens": small, "cost": st.floats(0, 3)}
        ),
        "response_id": st.sampled_from(["one", "two"]),
    },
)
events = st.builds(
    NewEvent,
    event_type=st.sampled_from([*KNOWN_EVENTS, "work_item_started", "something_else"]),
    phase=st.sampled_from(["planning", "executing", "verifying", "own", None]),
    actor=st.sampled_from(["runner", "worker", "user"]),
    span_id=spans,
    parent_span_id=st.sampled_from(["s1", "s2", "s3", "p", None, None]),
    payload=payloads,
    occurred_at=st.sampled_from([None, None, "2020-01-01T00:00:00Z", "2020-01-01T00:00:09Z", "9000-01-01T00:00:00Z"]),
).filter(lambda event: event.span_id is None or event.span_id != event.parent_span_id)


@pytest.mark.long
@pytest.mark.examples
@settings(max_examples=examples(40), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(batches=st.lists(st.lists(events, min_size=1, max_size=6), min_size=1, max_size=12))
async def test_tables_equal_the_fold_of_any_log(batches: list[list[NewEvent]], store: SqliteStore) -> None:
    start, _ = store.create_task()
    for batch in batches:
        batch = [event for event in batch if event.event_type != "permission_response"]
        store.append(start.task_id, batch)
    assert await stored_state(store, start.task_id) == await folded(store, start.task_id, start)


async def state_after(tmp_path: Path, *given: NewEvent) -> TaskState:
    store = open_store(f"sqlite:///{tmp_path / 'log.db'}")
    store.append("run", given)
    state = await stored_state(store, "run")
    await store.aclose()
    return state


def event(event_type: str, span_id: str | None = None, phase: str | None = None, **payload: Any) -> NewEvent:
    return NewEvent(event_type=event_type, span_id=span_id, phase=phase, payload=payload)


async def test_a_run_goes_from_queued_to_running_waiting_and_done(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path / 'log.db'}")
    task, _ = store.create_task("run")
    seen = [task.status]
    for step in (
        event("runner_spawn", runner_pid=1),
        event("permission_request", request_id="r", tool_name="rm"),
        event("permission_response", request_id="r", approved=True, by="ada"),
        event("runner_exit", exit_code=0),
    ):
        store.append("run", step, own=step.event_type == "permission_response")
        async with store.read() as view:
            seen.append((await view.task("run")).status)
    assert seen == ["queued", "running", "waiting", "running", "done"]
    await store.aclose()


async def test_the_last_message_of_a_run_is_kept(tmp_path: Path) -> None:
    state = await state_after(
        tmp_path, event("status", message="reading"), event("runner_exit", exit_code=0, message="all is read")
    )
    assert state.task.message == "all is read"


async def test_the_end_of_a_run_closes_spans_phases_and_permission_requests(tmp_path: Path) -> None:
    state = await state_after(
        tmp_path,
        event("phase_enter", "p", "executing"),
        event("work_item_start", "w", work_item_id="one"),
        event("permission_request", "w", request_id="r", tool_name="rm"),
        event("runner_exit", exit_code=3, message="boom"),
    )
    assert (state.task.status, state.task.exit_code, state.task.error) == ("failed", 3, "boom")
    assert state.task.spans_open == 0
    assert {span.state for span in state.spans.values()} == {"failed"}
    assert state.phases["executing"].state == "failed"
    assert state.permissions["r"].state == "cleared"
    assert state.task.permissions_open == 0


async def test_a_retried_work_item_is_counted_once(tmp_path: Path) -> None:
    state = await state_after(
        tmp_path,
        event("phase_enter", "p", "executing"),
        NewEvent(event_type="work_item_start", span_id="a", parent_span_id="p", payload={"work_item_id": "a"}),
        NewEvent(event_type="work_item_start", span_id="b", parent_span_id="p", payload={"work_item_id": "b"}),
        event("work_item_complete", "a"),
        event("work_item_failed", "b", message="broken file"),
        event("work_item_start", "b"),
        event("work_item_complete", "b"),
    )
    task, phase = state.task, state.phases["executing"]
    assert (task.items_total, task.items_done, task.items_failed) == (2, 2, 0)
    assert (phase.items_total, phase.items_done, phase.items_failed) == (2, 2, 0)
    assert state.spans["b"].attempts == 2
    assert task.progress is not None
    assert task.progress.percentage == 100


async def test_the_current_phase_follows_enter_exit_and_what_events_name(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path / 'log.db'}")
    phases = []
    for step in (
        event("phase_enter", "p1", "planning"),
        event("phase_exit", "p1", "planning"),
        event("log", None, "executing"),
        event("phase_enter", "p3", "verifying"),
    ):
        store.append("run", step)
        async with store.read() as view:
            phases.append((await view.task("run")).phase)
    assert phases == ["planning", None, "executing", "verifying"]
    async with store.read() as view:
        assert [(p.phase, p.state) for p in await view.phases("run")] == [
            ("planning", "done"),
            ("executing", "done"),
            ("verifying", "open"),
        ]
    await store.aclose()


async def test_checkpoints_are_verified_and_collect_their_evidence(tmp_path: Path) -> None:
    state = await state_after(
        tmp_path,
        event("checkpoint_commit", checkpoint_id="c1", checkpoint_type="plan", evidence_refs={"artifacts": ["a.json"]}),
        event("evidence_collected", checkpoint_id="c1", evidence_type="hash", evidence_id="e1"),
        event("checkpoint_commit", evidence_refs={"checkpoint_id": "c2"}),
        event("checkpoint_verified", checkpoint_id="c1"),
        event("checkpoint_invalid", checkpoint_id="c2"),
    )
    c1, c2 = state.checkpoints["c1"], state.checkpoints["c2"]
    assert (c1.state, c1.evidence_total, c1.evidence_refs) == ("verified", 1, {"artifacts": ["a.json"]})
    assert c2.state == "invalid"


async def test_a_silent_run_is_running_again_after_its_next_event(tmp_path: Path) -> None:
    state = await state_after(
        tmp_path,
        event("runner_spawn"),
        NewEvent(event_type="status", actor="supervisor", payload={"status": "interrupted"}),
        NewEvent(event_type="log", actor="runner", payload={"message": "here I am"}),
    )
    assert state.task.status == "running"
    assert state.task.ended_at is None

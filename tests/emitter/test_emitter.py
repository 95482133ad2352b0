"""Emitting: the same vocabulary for synchronous code and asyncio, and context managers that close their spans."""

from __future__ import annotations

import asyncio
import inspect
from concurrent.futures import ThreadPoolExecutor

import pytest

from signalbox.store import AsyncEmitter, Emitter, Event, NewEvent, open_task
from signalbox.store.emitter.vocabulary import R, Vocabulary
from signalbox.store.sqlite import SqliteStore
from signalbox.store.state import Progress
from tests.support.log import log_of, spans_of, task_of, types_of

ARGUMENTS = {
    "span_id": "s1",
    "parent_span_id": "s0",
    "runner_pid": 7,
    "runner_version": "1.0",
    "exit_code": 0,
    "phase": "planning",
    "work_item_id": "w1",
    "work_type": "file",
    "current": 3,
    "total": 10,
    "checkpoint_id": "c1",
    "checkpoint_type": "plan",
    "evidence_refs": {"artifacts": ["a"]},
    "evidence_type": "sha256",
    "evidence_id": "e1",
    "explanation": "because",
    "message": "hello",
    "status": "running",
    "tool_name": "shell",
    "arguments": {"command": "ls"},
    "request_id": "r1",
    "retry": "again",
    "approved": True,
    "by": "ann",
    "reason": "fine",
    "cause": "expired",
}
EMITTERS = sorted(name for name in vars(Vocabulary) if name.startswith("emit_"))


def call(emitter: Vocabulary[R], name: str, task_id: str) -> R:
    wanted = inspect.signature(getattr(Vocabulary, name)).parameters
    given = {field: value for field, value in ARGUMENTS.items() if field in wanted}
    answer: R = getattr(emitter, name)(**{**given, "task_id": task_id})
    return answer


def comparable(event: Event) -> tuple[object, ...]:
    return (event.event_type, event.phase, event.actor, event.parent_span_id, event.payload)


@pytest.mark.parametrize("name", EMITTERS)
def test_each_emit_method_stores_the_same_event_in_sync_and_async(store: SqliteStore, name: str) -> None:
    for task_id in ("sync", "async"):
        store.append(task_id, NewEvent(event_type="permission_request", payload={"request_id": "r1"}))

    async def emit() -> Event:
        return await call(AsyncEmitter(store), name, "async")

    sync_event, async_event = call(Emitter(store), name, "sync"), asyncio.run(emit())
    assert comparable(sync_event) == comparable(async_event)
    assert sync_event.event_type == name.removeprefix("emit_")


def test_an_emitter_keeps_extra_fields_and_its_key(store: SqliteStore) -> None:
    emitter = Emitter(store)
    first = emitter.emit_log("t", None, "hello", level="info", key="k", phase="planning")
    again = emitter.emit_log("t", None, "hello", level="info", key="k", phase="planning")
    assert first.payload == {"message": "hello", "level": "info"}
    assert (first.phase, first.key) == ("planning", "k")
    assert again.seq == first.seq == 1


def test_a_run_without_errors_is_done(store: SqliteStore) -> None:
    with (
        open_task(store, "t", title="Nightly", kind="build") as task,
        task.phase("planning") as planning,
        planning.work_item("json", "package") as item,
    ):
        item.progress(3, 10)
        item.result(lines=7)
    assert types_of(store, "t") == [
        "runner_spawn",
        "phase_enter",
        "work_item_start",
        "work_item_progress",
        "work_item_complete",
        "phase_exit",
        "runner_exit",
    ]
    state = task_of(store, "t")
    assert (state.title, state.kind, state.status, state.spans_open) == ("Nightly", "build", "done", 0)
    assert log_of(store, "t")[4].payload == {"work_item_id": "json", "work_type": "package", "lines": 7}


def test_an_exception_closes_all_open_spans_and_propagates(store: SqliteStore) -> None:
    with (
        pytest.raises(ZeroDivisionError),
        open_task(store, "t") as task,
        task.phase("executing") as executing,
        executing.work_item("w"),
    ):
        _ = 1 / 0
    *_, item, phase, end = log_of(store, "t")
    failure = {"error_code": "ZeroDivisionError", "message": "division by zero"}
    assert (item.event_type, item.payload) == (
        "work_item_failed",
        {"work_item_id": "w", "work_type": "step", **failure},
    )
    assert (phase.event_type, phase.phase, phase.payload) == ("phase_exit", "executing", failure)
    assert end.event_type == "runner_exit"
    assert end.payload["exit_code"] == 1
    assert "_ = 1 / 0" in end.payload["traceback"]
    state = task_of(store, "t")
    assert (state.status, state.error, state.spans_open) == ("failed", "division by zero", 0)


def test_a_failed_work_item_can_be_retried(store: SqliteStore) -> None:
    with open_task(store, "t") as task, task.phase("executing") as executing:
        first = executing.work_item("w")
        with pytest.raises(ValueError), first:
            raise ValueError("broken")
        with executing.recovery("w broke", "c1") as recovery:
            recovery.loaded("c1")
            with executing.work_item("w", span_id=first.span_id):
                pass
    span = spans_of(store, "t")["w"]
    assert (span.state, span.attempts) == ("done", 2)
    assert [e for e in types_of(store, "t") if e.startswith("recovery")] == [
        "recovery_initiated",
        "recovery_checkpoint_loaded",
        "recovery_complete",
    ]


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (KeyboardInterrupt(), "cancelled", 130),
        (SystemExit(3), "failed", 3),
        (SystemExit("no disk"), "failed", 1),
        (SystemExit(0), "done", 0),
    ],
)
def test_the_status_of_a_run_follows_from_its_exception(
    store: SqliteStore, error: BaseException, status: str, code: int
) -> None:
    with pytest.raises(type(error)), open_task(store, "t") as task, task.phase("planning"):
        raise error
    state = task_of(store, "t")
    assert (state.status, state.exit_code, state.spans_open) == (status, code, 0)


def test_asyncio_cancellation_is_a_cancelled_run(store: SqliteStore) -> None:
    async def work(started: asyncio.Event) -> None:
        async with open_task(store, "t") as task, task.phase("executing") as executing, executing.work_item("w"):
            started.set()
            await asyncio.Event().wait()

    async def main() -> None:
        started = asyncio.Event()
        working = asyncio.create_task(work(started))
        await started.wait()
        working.cancel()
        with pytest.raises(asyncio.CancelledError):
            await working

    asyncio.run(main())
    assert types_of(store, "t")[-3:] == ["work_item_failed", "phase_exit", "runner_exit"]
    assert task_of(store, "t").status == "cancelled"


def test_work_items_in_threads_have_the_right_parent(store: SqliteStore) -> None:
    with open_task(store, "t") as task, task.phase("executing") as executing:

        def work(name: str) -> None:
            with executing.work_item(name, "file") as item:
                item.log(f"in {name}")
                task.log(f"also in {name}")

        with ThreadPoolExecutor(8) as threads:
            list(threads.map(work, [f"w{number}" for number in range(20)]))
    assert_children_of_executing(store, 20)


async def test_work_items_in_asyncio_tasks_have_the_right_parent(store: SqliteStore) -> None:
    async with open_task(store, "t") as task, task.phase("executing") as executing:

        async def work(name: str) -> None:
            async with executing.work_item(name, "file") as item:
                await item.log(f"in {name}")
                await task.log(f"also in {name}")

        await asyncio.gather(*(work(f"w{number}") for number in range(20)))
    await asyncio.to_thread(assert_children_of_executing, store, 20)


def assert_children_of_executing(store: SqliteStore, count: int) -> None:
    spans = spans_of(store, "t")
    items = {name: span for name, span in spans.items() if span.kind == "work_item"}
    assert len(items) == count
    assert {span.parent_span_id for span in items.values()} == {spans["executing"].span_id}
    for event in log_of(store, "t"):
        if event.event_type == "log":
            assert event.span_id == items[event.payload["message"].split()[-1]].span_id
            assert event.phase == "executing"


def test_events_of_the_run_belong_to_the_open_step(store: SqliteStore) -> None:
    with open_task(store, "t") as task:
        task.log("outside")
        with task.phase("planning") as planning:
            task.log("in the phase")
            with task.work_item("w") as item:
                task.log("in the item")
                task.progress(1, 2)
            task.checkpoint("c1", "plan", artifacts=["a.json"])
        task.log("outside again")
    by_type = {event.event_type: event for event in log_of(store, "t")}
    outside, inside, deeper, again = (event for event in log_of(store, "t") if event.event_type == "log")
    assert outside.span_id == again.span_id == task.span_id
    assert (inside.span_id, inside.phase) == (planning.span_id, "planning")
    assert (deeper.span_id, deeper.phase, deeper.actor) == (item.span_id, "planning", "worker")
    assert (by_type["progress_update"].span_id, by_type["progress_update"].phase) == (task.span_id, "planning")
    assert by_type["checkpoint_commit"].payload["evidence_refs"] == {"checkpoint_id": "c1", "artifacts": ["a.json"]}


def test_progress_belongs_to_the_run_the_work_item_or_the_tool(store: SqliteStore) -> None:
    with (
        open_task(store, "t") as task,
        task.phase("executing") as executing,
        executing.work_item("w") as item,
        executing.tool("search", {"query": "q"}) as call,
    ):
        executing.progress(1, 4)
        item.progress(1, 2)
        call.progress(3, 4)
        call.result(hits=2)
    spans = spans_of(store, "t")
    percentages = [state.progress.percentage if state.progress else None for state in (spans["w"], spans["search"])]
    assert percentages == [50, 75]
    assert task_of(store, "t").progress == Progress(25, 1, 4)
    result = next(event for event in log_of(store, "t") if event.event_type == "tool_result")
    assert result.payload == {"tool_name": "search", "status": "done", "hits": 2}


def test_with_and_async_with_do_not_mix(store: SqliteStore) -> None:
    async def mix() -> None:
        async with open_task(store, "t") as task:
            with pytest.raises(TypeError, match="async with"), task.phase("planning"):
                pass

    asyncio.run(mix())

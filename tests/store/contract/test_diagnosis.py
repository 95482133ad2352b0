"""Test the stored diagnosis of failed runs: the same error is counted, and the lines that tell it are failures."""

from __future__ import annotations

from typing import Any

import pytest

from signalbox.store import LogQuery, NewEvent, Store, TaskQuery
from signalbox.store.contract import TaskRecord

FAILED: dict[str, Any] = {"status": "failed", "exit_code": 1, "message": "exit code 1"}


def event(event_type: str, span_id: str | None = None, parent: str | None = None, **payload: Any) -> NewEvent:
    return NewEvent(event_type=event_type, span_id=span_id, parent_span_id=parent, payload=payload)


def output(*lines: str, stream: str = "stderr") -> list[NewEvent]:
    return [event("log", message=line, stream=stream) for line in lines]


def command_run(*lines: str, command: str = "./load.sh 7", **end: Any) -> list[NewEvent]:
    """Return the log of a command that failed."""
    started = event("runner_spawn", "main", command=command.split())
    return [started, *output(*lines), event("runner_exit", "main", **(FAILED | end))]


async def runs_like(store: Store, task_id: str) -> tuple[int, list[str]]:
    """Return how many runs failed like this one, and the ids in the list of them."""
    async with store.read() as view:
        same = await view.same_error(task_id)
        if same is None:
            return 0, []
        page = await view.tasks(TaskQuery(fingerprint=same.fingerprint, sort="oldest"))
    return same.runs, [task.task_id for task in page.tasks]


async def test_runs_of_a_command_with_the_same_error_are_counted(store: Store) -> None:
    store.append("one", command_run("connected in 3 ms", "disk full: /data/7"))
    store.append("two", command_run("connected in 41 ms", "disk full: /srv/31", command="./load.sh 8"))
    store.append("broken", command_run("connected in 3 ms", "disk is broken"))
    store.append("save", command_run("disk full: /data/7", command="./save.sh 7"))
    assert await runs_like(store, "two") == (2, ["one", "two"])
    assert await runs_like(store, "broken") == (1, ["broken"])
    assert await runs_like(store, "save") == (1, ["save"])
    async with store.read() as view:
        same, first = await view.same_error("two"), await view.task("one")
        assert same is not None
        assert (same.since, same.more) == (first.created_at, False)
        limited = await view.same_error("two", 1)
        assert limited is not None
        assert (limited.runs, limited.more) == (1, True)


async def test_runs_are_alike_if_the_same_span_failed_with_the_same_error(store: Store) -> None:
    def run(item: str, message: str) -> list[NewEvent]:
        return [
            event("runner_spawn", "main"),
            event("work_item_start", "a", "main", work_item_id="copy"),
            event("work_item_complete", "a", "main", work_item_id="copy"),
            event("work_item_start", "b", "main", work_item_id=item),
            event("work_item_failed", "b", "main", work_item_id=item, message=message, error_code="OSError"),
            event("runner_exit", "main", **FAILED),
        ]

    store.append("one", run("shard 3", "no space left after 17 MB"))
    store.append("two", run("shard 12", "no space left after 2 MB"))
    store.append("index", run("index", "no space left after 2 MB"))
    store.append("timeout", run("shard 3", "no answer"))
    assert await runs_like(store, "two") == (2, ["one", "two"])
    assert await runs_like(store, "index") == (1, ["index"])
    assert await runs_like(store, "timeout") == (1, ["timeout"])


async def test_an_item_that_succeeded_when_it_was_tried_again_is_not_the_cause(store: Store) -> None:
    def run(first: str) -> list[NewEvent]:
        return [
            event("runner_spawn", "main"),
            event("work_item_start", "a", "main", work_item_id=first),
            event("work_item_failed", "a", "main", work_item_id=first, message="busy"),
            event("work_item_start", "a", "main", work_item_id=first),
            event("work_item_complete", "a", "main", work_item_id=first),
            event("work_item_start", "b", "main", work_item_id="save"),
            event("work_item_failed", "b", "main", work_item_id="save", message="disk full"),
            event("runner_exit", "main", **FAILED),
        ]

    store.append("one", run("copy"))
    store.append("two", run("index"))
    assert await runs_like(store, "two") == (2, ["one", "two"])


async def test_only_runs_of_the_same_project_are_counted_archived_or_not(store: Store) -> None:
    store.people.add_project("other", "Other")
    store.create_task("elsewhere", project_id="other")
    for task_id in ("one", "two", "elsewhere"):
        store.append(task_id, command_run("disk full"))
    assert (await runs_like(store, "one"))[0] == 2
    assert (await runs_like(store, "elsewhere"))[0] == 1
    store.archive_task("one", True, actor="ann")
    async with store.read() as view:
        same, first = await view.same_error("two"), await view.task("one")
    assert same is not None
    assert (same.runs, same.archived, same.since) == (2, 1, first.created_at)


async def test_a_run_that_did_not_fail_has_no_error(store: Store) -> None:
    store.append("done", [event("runner_spawn", "main"), event("runner_exit", "main", exit_code=0)])
    store.append("open", [event("runner_spawn", "main"), *output("Error: busy")])
    store.append("cancelled", command_run("Error: busy", status="cancelled"))
    for task_id in ("done", "open", "cancelled", "none"):
        assert await runs_like(store, task_id) == (0, [])


async def test_a_run_that_continues_after_an_interruption_loses_its_error(store: Store) -> None:
    interrupted = event("status", status="interrupted", explanation="no sign of life", error_code="no_heartbeat")
    store.append("run", [event("runner_spawn", "main"), *output("Traceback (most recent call last):", "  f()", "E: x")])
    store.append("run", interrupted, own=True)
    assert (await runs_like(store, "run"))[0] == 1
    store.append("run", output("still here"))
    assert (await runs_like(store, "run"))[0] == 0
    async with store.read() as view:
        assert await view.next_failure("run", 0) == 5, "only the interruption itself"
    store.append("run", event("runner_exit", "main", exit_code=0))
    assert (await runs_like(store, "run"))[0] == 0


async def test_the_lines_of_output_that_tell_the_failure_are_failures(store: Store) -> None:
    lines = [
        "collected 3 items",
        "E       AssertionError: assert 1 == 2",
        "FAILED tests/test_a.py::test_b - AssertionError: assert 1 == 2",
        "=== 1 failed, 2 passed in 0.10s ===",
    ]
    store.append("run", command_run(*lines))
    async with store.read() as view:
        assert [hit.seq for hit in (await view.search("run", LogQuery(failures=True))).events] == [3, 4, 5, 6]
        assert (await view.search("run", LogQuery(failures=True, text="2 passed"))).total == 1
        assert [await view.next_failure("run", seq) for seq in (0, 3, 5, 6)] == [3, 4, 6, None]
        assert [await view.previous_failure("run", seq) for seq in (99, 6, 4, 3)] == [6, 5, 3, None]
        assert [failure.seq for failure in await view.failures("run")] == [6]


async def test_evidence_is_found_before_many_heartbeats(store: Store) -> None:
    store.append("run", [event("runner_spawn", "main"), *output("ValueError: none")])
    store.append("run", [event("runner_heartbeat", "main") for _ in range(1000)])
    store.append("run", event("runner_exit", "main", **FAILED))
    store.append("other", [event("runner_spawn", "main"), *output("ValueError: none")])
    store.append("other", event("runner_exit", "main", **FAILED))
    assert (await runs_like(store, "run"))[0] == 2


async def test_an_imported_run_has_the_error_of_the_original(store: Store) -> None:
    store.append("run", command_run("disk full"))
    async with store.read() as view:
        exported = await view.events("run")
    store.import_task(TaskRecord(task_id="copy", created_at=exported[0].created_at, main_span_id="main"), exported)
    assert (await runs_like(store, "copy"))[0] == 2


async def test_a_run_that_ended_before_this_version_is_diagnosed_later(store: Store) -> None:
    store.append("run", command_run("disk full"))
    store.append("old", command_run("disk full"))
    forget(store, "old")
    assert await runs_like(store, "old") == (0, [])
    async with store.read() as view:
        assert await view.undiagnosed(10) == ["old"]
    for task_id in ("old", "run", "none"):
        await store.adiagnose(task_id)
    assert await runs_like(store, "old") == (2, ["run", "old"])
    async with store.read() as view:
        assert await view.undiagnosed(10) == []


def forget(store: Store, task_id: str) -> None:
    """Make a task look as if an earlier version had stored it."""

    def work(db: Any) -> None:
        db.execute("UPDATE tasks SET fingerprint = NULL, failure_lines = NULL WHERE task_id = ?", (task_id,))

    store._writer.run(work)  # type: ignore[attr-defined]


@pytest.mark.parametrize("payload", [{}, {"message": 7}, {"message": ["a"]}, {"message": "\x00 " + "x" * 9000}])
async def test_any_payload_can_end_a_run(store: Store, payload: dict[str, Any]) -> None:
    strange = [event("log", **payload), event("work_item_failed", "s", "main", **payload)]
    store.append("run", [event("runner_spawn", "main", command=payload), *strange])
    store.append("run", event("runner_exit", "main", exit_code=1, **payload))
    assert (await runs_like(store, "run"))[0] == 1

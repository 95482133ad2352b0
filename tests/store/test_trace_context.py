"""The trace of a task: which task the spans of an instrumented program belong to."""

from __future__ import annotations

import subprocess

from signalbox.store import open_task
from signalbox.store.events import new_id
from signalbox.store.identity import Reference
from signalbox.store.sqlite import SqliteStore
from signalbox.store.state import Task
from signalbox.store.trace_context import named_task, task_with_trace, trace_id_of, trace_variables, traceparent_of

CI = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


async def found(store: SqliteStore, trace_id: str, projects: list[str] | None = None) -> Task | None:
    async with store.read() as view:
        return await task_with_trace(view, trace_id, projects)


async def test_a_task_with_a_ulid_is_found_by_its_trace_id_also_after_its_end(store: SqliteStore) -> None:
    with open_task(store) as run:
        pass
    task = await found(store, trace_id_of(run.task_id))
    assert task is not None
    assert (task.task_id, task.status) == (run.task_id, "done")


async def test_a_task_with_another_id_is_found_by_its_trace_id_until_its_end(store: SqliteStore) -> None:
    trace_id = trace_id_of("nightly")
    with open_task(store, "nightly"), open_task(store, "other"):
        task = await found(store, trace_id)
        assert task is not None
        assert task.task_id == "nightly"
    assert await found(store, trace_id) is None


async def test_a_task_of_another_project_is_not_found_by_its_trace_id(store: SqliteStore) -> None:
    with open_task(store) as run, open_task(store, "nightly"):
        for task_id in (run.task_id, "nightly"):
            assert await found(store, trace_id_of(task_id), ["other"]) is None
            assert await found(store, trace_id_of(task_id), ["default"]) is not None


async def test_the_trace_of_no_task_and_a_text_that_is_no_trace_id_find_nothing(store: SqliteStore) -> None:
    assert await found(store, trace_id_of(new_id())) is None
    for text in ("", "0" * 32, "x" * 32, "0af7651916cd43dd8448eb211c80319cff"):
        assert await found(store, text) is None


def test_the_resource_attribute_precedes_the_tracestate() -> None:
    assert named_task({"signalbox.task": "a@1f"}, "signalbox=b") == Reference("a", "1f")
    assert named_task({}, "vendor=1, signalbox=b@2e ,x=y") == Reference("b", "2e")
    assert named_task({"signalbox.task": "not an id"}, "signalbox=b") == Reference("b", None)
    assert named_task({"signalbox.task": 7}, "signalboxed=b") is None


def test_a_trace_of_another_system_continues_and_names_the_task() -> None:
    variables = trace_variables("t@1f", "s1", {"TRACEPARENT": CI, "TRACESTATE": "ci=9"})
    assert variables["TRACEPARENT"] == CI
    assert variables["TRACESTATE"] == "signalbox=t@1f,ci=9"


def test_a_run_within_a_run_has_its_own_trace() -> None:
    outer = trace_variables("outer@1f", "s1", {"OTEL_RESOURCE_ATTRIBUTES": "service.name=shop"})
    inner = trace_variables("inner@2e", "s2", outer)
    assert inner["TRACEPARENT"] == traceparent_of("inner", "s2") != outer["TRACEPARENT"]
    assert inner["TRACESTATE"] == "signalbox=inner@2e"
    assert inner["OTEL_RESOURCE_ATTRIBUTES"] == "service.name=shop,signalbox.task=inner@2e"


def test_an_invalid_traceparent_in_the_environment_is_replaced() -> None:
    for bad in ("", "00-0-0-01", CI.replace("0af7651916cd43dd8448eb211c80319c", "0" * 32)):
        assert trace_variables("t", "s", {"TRACEPARENT": bad})["TRACEPARENT"] == traceparent_of("t", "s")


def test_a_python_run_gives_the_traceparent_of_its_innermost_step(store: SqliteStore) -> None:
    with open_task(store, "t") as task:
        assert task.traceparent == traceparent_of("t", task.span_id)
        with task.work_item("one") as item:
            assert task.traceparent == traceparent_of("t", item.span_id)
            variables = task.trace_variables({"PATH": "/bin:/usr/bin"})
            shown = subprocess.run(
                ["sh", "-c", "echo $TRACEPARENT"], env=variables, check=True, capture_output=True, text=True
            )
            assert shown.stdout.strip() == task.traceparent

"""Test that tokens and cost are summed up the span tree, and that no call counts twice."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from signalbox.store import NewEvent, open_store
from signalbox.store.model_calls import TokenCounts, Usage
from signalbox.store.state import TaskState
from tests.store.test_projections import stored_state


def event(event_type: str, span_id: str | None = None, parent: str | None = None, **payload: Any) -> NewEvent:
    return NewEvent(event_type=event_type, span_id=span_id, parent_span_id=parent, payload=payload)


def tokens(count: int, cost: float | None = None) -> dict[str, Any]:
    usage: dict[str, Any] = {"usage": {"input_tokens": count, "output_tokens": 0}}
    return usage if cost is None else {**usage, "cost_usd": cost}


SPAWN = event("runner_spawn", "run", runner_pid=1)
AGENT = event("work_item_start", "agent", "run", work_item_id="agent")


def called(span_id: str, count: int, parent: str = "agent") -> list[NewEvent]:
    return [
        event("work_item_start", span_id, parent, work_item_id=span_id, work_type="llm", model="small-1"),
        event("work_item_complete", span_id, parent, **tokens(count)),
    ]


async def state_after(tmp_path: Path, *given: NewEvent) -> TaskState:
    store = open_store(f"sqlite:///{tmp_path / 'log.db'}")
    for one in given:
        store.append("run", one)
    state = await stored_state(store, "run")
    await store.aclose()
    return state


def counted(state: TaskState) -> dict[str, int]:
    spans = {span.span_id: span.usage.tokens.input for span in state.spans.values() if span.usage}
    return {**spans, "task": state.task.usage.tokens.input if state.task.usage else 0}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        pytest.param(
            [*called("a", 60), *called("b", 40)],
            {"a": 60, "b": 40, "agent": 100, "run": 100, "task": 100},
            id="sum of the spans below",
        ),
        pytest.param(
            [*called("a", 60), *called("b", 40), event("work_item_complete", "agent", **tokens(100))],
            {"a": 60, "b": 40, "agent": 100, "run": 100, "task": 100},
            id="a span that reports the sum at its end",
        ),
        pytest.param(
            [*called("a", 60), *called("b", 40), event("log", "agent", message="sum", **tokens(100))],
            {"a": 60, "b": 40, "agent": 100, "run": 100, "task": 100},
            id="a log line that repeats the sum",
        ),
        pytest.param(
            [*called("a", 60), event("x", "agent", **{"gen_ai.operation.name": "invoke_agent"}, **tokens(70))],
            {"a": 60, "agent": 70, "run": 70, "task": 70},
            id="an agent that reports more than its calls did",
        ),
        pytest.param(
            [event("log", "agent", **tokens(50)), *called("a", 60), event("log", "agent", **tokens(50))],
            {"a": 60, "agent": 160, "run": 160, "task": 160},
            id="a span with calls of its own and of spans below",
        ),
        pytest.param(
            [*called("a", 60), event("runner_exit", "run", exit_code=0, **tokens(60))],
            {"a": 60, "agent": 60, "run": 60, "task": 60},
            id="a run that reports the sum at its end",
        ),
        pytest.param(
            [*called("a", 60), *called("a", 60)],
            {"a": 120, "agent": 120, "run": 120, "task": 120},
            id="each attempt of a span",
        ),
        pytest.param(
            [
                event("log", "agent", response_id="r", **tokens(50)),
                event("log", "agent", response_id="r", **tokens(55)),
            ],
            {"agent": 55, "run": 55, "task": 55},
            id="a call that is reported twice",
        ),
        pytest.param(
            [event("x", "a", "later", **tokens(7)), event("work_item_start", "later", "agent", work_item_id="later")],
            {"a": 7, "later": 7, "agent": 7, "run": 7, "task": 7},
            id="a parent that the log names after its child",
        ),
        pytest.param(
            [event("x", "a", **tokens(7)), event("x", "a", "agent")],
            {"a": 7, "agent": 7, "run": 7, "task": 7},
            id="a span that gets its parent late",
        ),
    ],
)
async def test_usage_is_summed_up_the_tree(given: list[NewEvent], expected: dict[str, int], tmp_path: Path) -> None:
    assert counted(await state_after(tmp_path, SPAWN, AGENT, *given)) == expected


async def test_a_parent_that_is_named_late_gives_the_main_span_the_usage_of_the_run(tmp_path: Path) -> None:
    call = event("work_item_complete", "a", "agent", **tokens(60))
    agent = event("work_item_start", "agent", work_item_id="agent")
    state = await state_after(tmp_path, call, event("status"), agent)
    assert counted(state) == {"a": 60, "agent": 60, state.task.main_span_id: 60, "task": 60}


async def test_an_event_that_is_appended_again_counts_once(tmp_path: Path) -> None:
    call = NewEvent(event_type="log", payload=tokens(50, 0.5), key="call-1")
    state = await state_after(tmp_path, SPAWN, call, call)
    assert state.task.usage == Usage(TokenCounts(50), 0.5)


async def test_tokens_without_a_cost_are_kept_by_model(tmp_path: Path) -> None:
    state = await state_after(tmp_path, SPAWN, AGENT, *called("a", 60), event("log", "agent", **tokens(5, 0.25)))
    assert state.task.usage == Usage(TokenCounts(65), 0.25, {"small-1": TokenCounts(60)})
